"""Copy files into a container and out of it, by tar in the container."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING, Any

from agtool.core.duration import in_words
from agtool.core.errors import ConfigurationError
from agtool.core.live import Progress, said_if_slow
from agtool.core.output import say
from agtool.debug.session.archive import kind_of, pack, size_of, unpack
from agtool.debug.session.destination import Destination, temporary_name
from agtool.debug.session.exec import ExecError
from agtool.debug.session.held import Holder
from agtool.debug.session.remote import execute
from agtool.debug.session.streams import Attachment

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator
    from pathlib import Path

    from agtool.debug.interrupts import Interrupts
    from agtool.debug.model import Copy
    from agtool.debug.session.place import Place

_AT_ONCE = 5.0
"""Seconds for the worker to end when its pipe is closed: it may wait for a disk."""

_AT_ITS_END = frozenset({0, 1, 2})
"""Exit codes of a tar that has come to its end; 1 and 2 when it could not read something, or found
a log that was written to meanwhile."""

_AS_IT_WAS = "is as it was"
_IN_PART = "may be there in part"
_UNKNOWN = "is as it was, or all of it is new: the container has not said which"

# As whoever runs there, with the times of now: as `cp` does.
_TAR = ("tar", "-xmof", "-", "-C")

# $1 is the folder, $2 the temporary name in it, $3 the final one. A tar whose input was cut off may
# end with 0: only the last file of the archive shows that all has come.
TAKE = (
    "t=$2; "
    'clean() { rm -rf "$t" "$t.last" || { chmod -R u+w "$t"; rm -rf "$t"; }; } 2>/dev/null; '
    "trap clean EXIT; trap 'exit 1' HUP INT TERM; "
    f'{" ".join(_TAR)} "$1" && [ -f "$t.last" ] && [ ! -d "$3" ] && mv -f "$t" "$3"'
)


def transfer(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    """Copy.

    Args:
        found: what `look` said of its path.

    Raises:
        ConfigurationError: the source, or the folder of the destination, is not there, or one of
            the two cannot be read or written.
        UnsafeError: what the container sends belongs elsewhere.
        ExecError: tar failed.
        LostError, UnreachableError, DeniedError, Stopped: as of `execute`.
    """
    (_into if copy.into else _out_of)(place, copy, found, interrupts)


def _into(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    with interrupts.allowed():
        kind = kind_of(copy.local)
    path = copy.path.rstrip("/")
    folder, _, name = path.rpartition("/")
    if found == "folder":
        folder, name = path, copy.local.resolve().name
        with interrupts.allowed():
            found = place.look(f"{folder}/{name}")
    elif found == "nowhere" or copy.path.endswith("/"):
        missing = folder or "/" if found == "nowhere" else path
        raise ConfigurationError(
            f"pod {copy.pod} has no folder {missing}",
            hint="Make it first, or choose another destination.",
        )
    there = f"{folder}/{name} in pod {copy.pod}"
    _check_kinds(there, found, str(copy.local), kind)
    with said_if_slow(f"looking how much {copy.local} is ..."), interrupts.allowed():
        total = size_of(copy.local)
    target = f"{place.root}{folder}/"
    merged = found == "folder"
    if merged:
        # Each file at its place: to move them there one by one would take longer than to send them.
        inside, last = name, ""
        command = [*_TAR, target]
    else:
        inside = temporary_name()
        last = f"./{inside}.last"
        command = ["sh", "-c", TAKE, "agtool", target, f"{target}{inside}", f"{target}{name}"]
    sent = threading.Event()

    def send(pipe: int) -> None:
        with os.fdopen(pipe, "wb") as sink:
            pack(copy.local, f"./{inside}", sink, progress.advance, last=last)
            sent.set()

    code: int | None = None

    def state() -> str:
        if merged:
            return _IN_PART
        killed = code is None or code > 128
        return _UNKNOWN if killed and sent.is_set() else _AS_IT_WAS

    with Progress("copying", total, in_bytes) as progress, _told(there, state):
        began = time.monotonic()
        code = _run(place, command, interrupts, send, into=True)
        _check_end(code, {0})
    say(f"{copy.local} is now {there} ({_amount(progress, began)})")


def _out_of(place: Place, copy: Copy, found: str, interrupts: Interrupts) -> None:
    path = copy.path.rstrip("/")
    if found in {"nothing", "nowhere"} or not path:
        raise ConfigurationError(
            f"pod {copy.pod} has no {copy.path}" if path else "the whole root cannot be copied",
            hint="Check the source of --cp.",
        )
    folder, _, name = path.rpartition("/")
    target = _target(copy.local, name)
    command = _sending(place, folder, name, found)
    # A kernel's file says another size than it has, and tar takes its word for it.
    plain = found == "file" and path.startswith(("/proc/", "/sys/"))
    if plain:
        command = ["cat", f"{place.root}{path}"]
    left_out: list[str] = []

    def take(pipe: int) -> None:
        with os.fdopen(pipe, "rb") as source:
            if plain:
                destination.write((), source, 0o644, progress.advance)
            else:
                left_out.extend(unpack(source, name, destination, progress.advance))
            while source.read(1 << 16):  # so that tar, and the connection, come to their end
                pass

    def state() -> str:
        return _IN_PART if destination.found == "folder" else _AS_IT_WAS

    with Destination(target) as destination, Progress("copying", 0, in_bytes) as progress:
        _check_kinds(str(target), destination.found, f"{copy.path} in pod {copy.pod}", found)
        with _told(str(target), state):
            began = time.monotonic()
            code = _run(place, command, interrupts, take, into=False)
            _check_end(code, {0} if destination.empty else _AT_ITS_END)
        if destination.empty:
            raise ConfigurationError(
                f"{copy.path} in pod {copy.pod} is neither a file nor a folder",
                hint="Only files and folders can be copied.",
            )
    if left_out:
        some = ", ".join(map(ascii, left_out[:3])) + (" ..." if len(left_out) > 3 else "")
        say(
            "left out, since they are symbolic links that lead to no file of what was copied, or "
            f"neither files nor folders: {len(left_out)}, {some}",
            level="warning",
        )
    _check_end(code, {0}, f"It has said why. What it sent is now {target}.")
    say(f"{copy.path} of pod {copy.pod} is now {target} ({_amount(progress, began)})")


def _target(local: Path, name: str) -> Path:
    """Where something of that name goes on this side."""
    try:
        target = (local / name if _is_folder(local) else local).absolute()
        if not _is_folder(target.parent):
            raise ConfigurationError(f"there is no folder {target.parent}", hint="Make it first.")
    except OSError as error:
        raise ConfigurationError(
            f"cannot write {local}: {error.strerror or error}", hint="Choose another destination."
        ) from error
    return target


def _is_folder(path: Path) -> bool:
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ENOTDIR, errno.ELOOP}:
            return False
        raise


def _sending(place: Place, folder: str, name: str, found: str) -> list[str]:
    """The tar that sends a file or a folder.

    That may be a link, as each file of a ConfigMap is, and is followed; not in the files of another
    container, where `look` saw none on the way, and none may have come meanwhile.
    """
    options, what = "-cf", name
    if not place.root:
        options, what = ("-cf", f"{name}/.") if found == "folder" else ("-chf", name)
    return ["tar", options, "-", "-C", f"{place.root}{folder}/", f"./{what}"]


@contextmanager
def _told(there: str, state: Callable[[], str]) -> Iterator[None]:
    """Say how it stands with the destination after a failure."""
    try:
        yield
    except BaseException:
        say(f"{there} {state()}", level="info" if state() == _AS_IT_WAS else "warning")
        raise


def _check_kinds(there: str, found: str, source: str, kind: str) -> None:
    """Raise ConfigurationError where a file would replace a folder, or the other way round."""
    if found not in {kind, "nothing"}:
        raise ConfigurationError(
            f"{there} is a {found}, and {source} a {kind}", hint="Choose another destination."
        )


def _check_end(
    code: int | None,
    good: Container[int],
    hint: str = "The lines above may say why. Where the container has no tar of its own, --root "
    "and --user choose who copies.",
) -> None:
    """Raise ExecError where the exit code is not a good one."""
    if code not in good:
        raise ExecError(f"the copying program in the container ended with {code}", hint=hint)


def _amount(progress: Progress, began: float) -> str:
    seconds = time.monotonic() - began
    took = in_words(seconds) if seconds >= 10 else f"{seconds:.1f} s"
    return f"{in_bytes(progress.done)} in {took}"


def in_bytes(count: int) -> str:
    """Such as `512 B`, `2.9 MiB`, `1.0 GiB`."""
    if count < 1024:
        return f"{count} B"
    size, unit = count / 1024, "KiB"
    for larger in ("MiB", "GiB", "TiB"):
        if size >= 1024:
            size, unit = size / 1024, larger
    return f"{size:.1f} {unit}"


def _run(
    place: Place,
    command: list[str],
    interrupts: Interrupts,
    work: Callable[[int], None],
    *,
    into: bool,
) -> int | None:
    """Run a command there, and the worker at our end of its pipe in a thread; the exit code."""
    reading, writing = os.pipe()
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work(writing if into else reading)
        except BaseException as error:  # noqa: BLE001  # raised again in the main thread
            failures.append(error)

    code = None
    worker = threading.Thread(target=guarded, daemon=True)
    worker.start()
    # Our end breaks where the worker has failed.
    with suppress(BrokenPipeError), ExitStack() as stack:
        stack.callback(worker.join, _AT_ONCE)
        nothing = os.open(os.devnull, os.O_RDWR)
        stack.callback(os.close, nothing)
        stdio: Any = (reading, nothing, 2) if into else (None, writing, 2)
        try:
            code = execute(
                place.session,
                place.pod,
                place.container,
                command,
                Attachment(stdin=into, terminal=False),
                interrupts=interrupts,
                lifeline=None,
                holder=Holder(None, "cp"),
                stdio=stdio,
            ).exit_code
        finally:
            os.close(reading if into else writing)
        while worker.is_alive():  # it copies what links lead to
            interrupts.check()
            worker.join(0.1)
    # Whatever the container says: it may have ended because of that.
    for failure in failures:
        if not isinstance(failure, BrokenPipeError):
            raise failure
    return code
