"""`agtool install`: the self-contained folder, copied to where a container can use it."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.folder import SUMS, root

_TEMPORARY = ".agtool-"


def install(target: Path) -> bool:
    """Copy this folder to a path; whether something had to be done.

    The launcher comes last, and an older one goes first, so that what can be started is whole.

    Raises:
        UsageError: this agtool is no such folder.
        ConfigurationError: something else is there, or it cannot be written.
    """
    source = root()
    if source is None:
        raise UsageError(
            "there is nothing to install: this agtool is no self-contained folder",
            hint="Run `install` with the agtool of the image or of the tar.gz.",
        )
    try:
        for folder in (*reversed(target.parents), target):
            _make_folder(folder)
        with _alone(target):
            if _is(source, target):
                return False
            _check(target)
            _copy(source, target)
    except OSError as error:
        raise ConfigurationError(
            f"cannot install agtool in {target}: {_reason(error)}", hint=_hint(error, source)
        ) from None
    return True


@contextmanager
def _alone(target: Path) -> Iterator[None]:
    """Wait until nobody else installs there."""
    descriptor = os.open(target, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _is(source: Path, target: Path) -> bool:
    """Whether the target already holds this folder."""
    with suppress(OSError):
        same = (source / SUMS).read_bytes() == (target / SUMS).read_bytes()
        return same and os.access(target / "agtool", os.X_OK)
    return False


def _check(target: Path) -> None:
    """Raise ConfigurationError if something there has our names and is not ours."""
    for name in ("lib", "agtool"):
        path = target / name
        if os.path.lexists(path) and not (target / SUMS).is_file():
            raise ConfigurationError(
                f"cannot install agtool in {target}: {path} is there, and is not agtool's",
                hint="Name a folder of agtool's own, which may be a new one.",
            )


def _copy(source: Path, target: Path) -> None:
    for left in target.glob(f"{_TEMPORARY}*"):  # of an installation that was killed
        shutil.rmtree(left, ignore_errors=True)
    new = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=target))
    try:
        for path in (source / "agtool", *sorted((source / "lib").rglob("*"))):
            copy = new / path.relative_to(source)
            if path.is_dir():
                continue
            for folder in reversed(copy.relative_to(new).parents):
                _make_folder(new / folder)
            shutil.copyfile(path, copy)
            copy.chmod(0o755 if os.access(path, os.X_OK) else 0o644)
        (target / "agtool").unlink(missing_ok=True)
        if (target / "lib").exists():
            (target / "lib").rename(new / "old")
        (new / "lib").rename(target / "lib")
        (new / "agtool").rename(target / "agtool")
    finally:
        shutil.rmtree(new, ignore_errors=True)


def _make_folder(path: Path) -> None:
    """Whatever the umask says, everybody may read it."""
    if not path.exists():
        path.mkdir(exist_ok=True)  # another installation may do the same
        path.chmod(0o755)


def _reason(error: OSError) -> str:
    where = f" ({error.filename})" if error.filename else ""
    return f"{error.strerror or error}{where}"


def _hint(error: OSError, source: Path) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        # Volumes count whole pages.
        pages = sum(-(-path.stat().st_size // 4096) for path in source.rglob("*"))
        return (
            f"The folder takes {pages * 4096 // 1_000_000 + 1} MB: "
            "give the volume that much, or raise its sizeLimit."
        )
    if error.errno in (errno.EROFS, errno.EACCES, errno.EPERM):
        return "Mount a volume there that this container may write to, such as an emptyDir."
    return "Name a folder that can be made, or is one."
