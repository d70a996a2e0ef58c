"""A container in which scripts run: what is at a path of its files; its end, if it is ours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError
from agtool.core.kube.exec import run
from agtool.debug.model import MARK

if TYPE_CHECKING:
    from agtool.core.kube.session import Session

_ANSWER = 30.0
"""Seconds for the container to say what is there."""

# $1 is the path. A link on the way, where the files are another container's, leads to our own.
_LOOK = (
    "command -v tar >/dev/null 2>&1 || exit 127; "
    'if [ -n "$2" ]; then ls "$2/" >/dev/null 2>&1 || { echo closed; exit; }; '
    'p=$2; rest=${1#"$2"/}/; while [ -n "$rest" ]; do '
    'p=$p/${rest%%/*}; rest=${rest#*/}; if [ -L "$p" ]; then echo "link $p"; exit; fi; done; fi; '
    'if [ -d "$1" ]; then echo folder; elif [ -e "$1" ]; then echo file; '
    'elif [ -d "${1%/*}/" ]; then echo nothing; else echo nowhere; fi'
)

_END = 5.0
"""Seconds for a container of ours to end."""

# $0 is what its processes have in their environment, as the lifeline finds them. What is temporary
# goes first: the container's end would leave it there. Variables are no lines, so the mark may
# stand anywhere. It ends with 0 when what it has found has ended, if its own end does not come
# before.
STOP = (
    "while grep -qs agtool-c[p]- /proc/[0-9]*/cmdline && [ $((n += 1)) -lt 30 ]; do sleep 0.1; "
    'done; is_ours() { grep -qs "$0" "$1/environ"; }; found=; n=0; '
    'for p in /proc/[0-9]*; do [ "$p" = /proc/$$ ] || ! is_ours "$p" || '
    '{ kill ${p#/proc/} && found="$found $p"; }; done; '
    '[ -n "$found" ] && for p in $found; do while is_ours "$p"; do [ $((n += 1)) -lt 20 ] || '
    "exit 1; sleep 0.1; done; done"
)
_KILLED = 128
"""Exit codes above are of what a signal has ended."""


@dataclass(frozen=True)
class Place:
    """A container.

    Attributes:
        pod: its path in the API.
        root: before each path: another container's files; empty: its own.
    """

    session: Session
    pod: str
    container: str
    root: str = ""

    def look(self, path: str) -> str:
        """What is at a path: folder, file, nothing, nowhere; empty: there is no tar, or no shell.

        Raises ConfigurationError where a link leads out of the files of another container.
        """
        words = ["sh", "-c", _LOOK, "agtool", f"{self.root}{path.rstrip('/') or '/'}", self.root]
        printed = run(self.session, self.pod, self.container, words, timeout=_ANSWER)
        if printed.ended.exit_code:
            return ""
        found = printed.stdout.decode(errors="replace").strip()
        if found == "closed":
            raise ConfigurationError(
                "the files of that container cannot be read from beside it",
                hint="Only its own user may: leave out --root, or give --user UID, with its "
                "user id.",
            )
        if found.startswith("link "):
            link = found.removeprefix(f"link {self.root}")
            raise ConfigurationError(
                f"{link} in the container is a symbolic link",
                hint="That container has no tar, and from beside it a link would lead elsewhere. "
                "Name the path that it stands for.",
            )
        return found

    def end(self) -> bool:
        """End a container that was added, by its main process, which is a sleep; whether it has.

        Raises the errors of `run`: it may have ended nevertheless.
        """
        words = ["sh", "-c", STOP, f"{MARK}={self.container}"]
        code = run(self.session, self.pod, self.container, words, timeout=_END).ended.exit_code
        return code == 0 or (code or 0) > _KILLED
