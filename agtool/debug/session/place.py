"""Where files are copied to or from in a pod: a container, and what is at a path of its files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from agtool.core.errors import ConfigurationError
from agtool.core.kube.exec import run

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


@dataclass(frozen=True)
class Place:
    """Where the files are.

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
