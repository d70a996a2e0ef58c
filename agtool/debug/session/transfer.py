"""Copy files into a container and out of it, by tar in the container."""

from __future__ import annotations

import os
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from agtool.core.errors import ConfigurationError
from agtool.core.kube.exec import run as run_in
from agtool.core.live import Live
from agtool.core.output import say
from agtool.debug.session.archive import pack, size_of, unpack
from agtool.debug.session.exec import ExecError
from agtool.debug.session.held import Holder
from agtool.debug.session.remote import execute
from agtool.debug.session.streams import Attachment

if TYPE_CHECKING:
    from collections.abc import Callable

    from agtool.core.kube.session import Session
    from agtool.debug.interrupts import Interrupts
    from agtool.debug.model import Copy

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
        printed = run_in(self.session, self.pod, self.container, words, timeout=_ANSWER)
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


def transfer(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    """Copy.

    Args:
        found: what `look` said of its path.

    Raises:
        ConfigurationError: the source, or the folder of the destination, is not there.
        UnsafeError: what the container sends belongs elsewhere.
        ExecError: tar failed.
        LostError, UnreachableError, DeniedError, Stopped: as of `execute`.
    """
    (_into if copy.into else _out_of)(place, copy, found, interrupts)


def _into(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    if not copy.local.exists():
        raise ConfigurationError(f"there is no {copy.local}", hint="Check the source of --cp.")
    path = copy.path.rstrip("/") or "/"
    folder, _, name = path.rpartition("/")
    if found == "folder":
        folder, name = path, copy.local.resolve().name
    elif found == "nowhere" or copy.path.endswith("/"):
        raise ConfigurationError(
            f"pod {copy.pod} has no folder {folder or '/'}"
            if found == "nowhere"
            else f"pod {copy.pod} has no folder {path}",
            hint="Make it first, or choose another destination.",
        )
    elif found == "file" and copy.local.is_dir():
        raise ConfigurationError(
            f"{path} in pod {copy.pod} is a file, and {copy.local} a folder",
            hint="Choose another destination.",
        )
    target = f"{place.root}{folder or '/'}"
    # As whoever runs there, with the times of now: as `cp` does.
    command = ["tar", "-xmof", "-", "-C", target]
    total = size_of(copy.local)

    def send(ends: _Ends, progress: Callable[[int], None]) -> None:
        with os.fdopen(ends.give(), "wb") as sink:
            pack(copy.local, f"./{name}", sink, progress)

    there = f"{folder or ''}/{name} in pod {copy.pod}"
    try:
        _run(place, command, interrupts, send, total, into=True)
    except BaseException:
        say(f"{there} may be there in part", level="warning")
        raise
    say(f"{copy.local} is now {there}")


def _out_of(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    path = copy.path.rstrip("/")
    if found in {"nothing", "nowhere"} or not path:
        raise ConfigurationError(
            f"pod {copy.pod} has no {copy.path}" if path else "the whole root cannot be copied",
            hint="Check the source of --cp.",
        )
    folder, _, name = path.rpartition("/")
    target = copy.local / name if copy.local.is_dir() else copy.local
    target = target.absolute()
    if not target.parent.is_dir():
        raise ConfigurationError(f"there is no folder {target.parent}", hint="Make it first.")
    # A file that is named may be a link, as each of a ConfigMap is: that is followed. In the files
    # of another container there is none on the way: see `look`.
    options = "-cf" if found == "folder" else "-chf"
    command = ["tar", options, "-", "-C", f"{place.root}{folder or '/'}", f"./{name}"]
    left_out: list[str] = []

    def take(ends: _Ends, progress: Callable[[int], None]) -> None:
        with os.fdopen(ends.take(), "rb") as source:
            try:
                left_out.extend(unpack(source, name, target, progress))
            finally:
                while source.read(1 << 16):  # so that tar, and the connection, come to their end
                    pass

    _run(place, command, interrupts, take, None, into=False)
    if f"./{name}" in left_out:
        raise ConfigurationError(
            f"{copy.path} in pod {copy.pod} is neither a file nor a folder",
            hint="If it is a symbolic link to a folder, name the path that it stands for.",
        )
    if left_out:
        some = ", ".join(map(ascii, left_out[:3])) + (" ..." if len(left_out) > 3 else "")
        say(
            f"left out, since they are symbolic links, or neither files nor folders: "
            f"{len(left_out)}, {some}",
            level="warning",
        )
    say(f"{copy.path} of pod {copy.pod} is now {target}")


class _Ends:
    """A pipe, one of whose ends the worker takes."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()

    def give(self) -> int:
        return self.writing

    def take(self) -> int:
        return self.reading


def _run(
    place: Place,
    command: list[str],
    interrupts: Interrupts,
    work: Callable[[_Ends, Callable[[int], None]], None],
    total: int | None,
    *,
    into: bool,
) -> None:
    """Run tar there, and the worker here in a thread of its own."""
    ends, failure = _Ends(), []
    done, shown = 0, 0.0
    live = Live(repeat=10)

    def progress(count: int) -> None:
        nonlocal done, shown
        done += count
        if time.monotonic() - shown > 0.2:
            shown = time.monotonic()
            of = f" of {total / 2**20:.1f}" if total is not None else ""
            live.show(f"{done / 2**20:.1f}{of} MiB", "copying")

    def guarded() -> None:
        try:
            work(ends, progress)
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            failure.append(error)

    with ExitStack() as stack:
        stack.enter_context(live)
        nothing = os.open(os.devnull, os.O_RDWR)
        stack.callback(os.close, nothing)
        stdio: Any = (ends.reading, nothing, 2) if into else (None, ends.writing, 2)
        worker = threading.Thread(target=guarded, daemon=True)
        worker.start()
        try:
            ended = execute(
                place.session,
                place.pod,
                place.container,
                command,
                Attachment(stdin=into, terminal=False),
                interrupts=interrupts,
                lifeline=None,
                holder=Holder(None, "cp"),
                stdio=stdio,
            )
        finally:
            os.close(ends.reading if into else ends.writing)
        worker.join()
    errors = [error for error in failure if not isinstance(error, BrokenPipeError)]
    if errors:
        raise errors[0]
    if ended.exit_code:
        raise ExecError(
            f"tar in the container ended with {ended.exit_code}",
            hint="It may have said why. The user of the container may not read or write there.",
        )
