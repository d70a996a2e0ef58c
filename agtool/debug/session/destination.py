"""Where files go on this side.

A file or a folder gets its name when all of it is there. Whoever wrote a symbolic link to the
destination before, or sends one, leads nothing elsewhere: each step is taken from the folder
before it, none follows a link, and none is made.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING

from agtool.core.errors import AgtoolError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from typing_extensions import Self

_PORTION = 256 * 1024
"""Bytes that are written at once."""

_PARENT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_FOLDER = _PARENT | os.O_NOFOLLOW
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class UnsafeError(AgtoolError):
    """What the container sends would be written where it does not belong."""

    exit_code = 5
    code = "unsafe"


def temporary_name() -> str:
    """The name of what is not yet all there."""
    return f".agtool-cp-{secrets.token_hex(4)}"


class Destination:
    """A file or a folder that is written; use as a context, at whose end it gets its name.

    After a failure all is as it was. Only a folder that is there already is written to as it
    stands: there each file is replaced as a whole.

    Attributes:
        found: what is there: folder, file, nothing.

    Raises:
        UnsafeError: what is there is neither.
        ConfigurationError: it cannot be written to.
    """

    def __init__(self, target: Path) -> None:
        self.target = target

    def __enter__(self) -> Self:
        with self._naming(()):
            self._parent = os.open(self.target.parent, _PARENT)
        try:
            self._old = self._there(self._parent, self.target.name, ())
        except BaseException:
            os.close(self._parent)
            raise
        if self._old is None:
            self.found = "nothing"
        else:
            self.found = "folder" if stat.S_ISDIR(self._old.st_mode) else "file"
        self._name = self.target.name if self.found == "folder" else temporary_name()
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if self._name == self.target.name:
                return
            try:
                if kind is None:
                    with self._naming(()):
                        self._rename(self._parent, self._name, self.target.name)
            finally:
                self._remove()
        finally:
            os.close(self._parent)

    @property
    def empty(self) -> bool:
        """Whether nothing has been written."""
        with suppress(FileNotFoundError):
            os.stat(self._name, dir_fd=self._parent, follow_symlinks=False)
            return False
        return True

    @contextmanager
    def folder(self, parts: Sequence[str]) -> Iterator[int]:
        """A descriptor of a folder in it, which is made."""
        with self._naming(parts):
            at = os.dup(self._parent)
            try:
                for part in [self._name, *parts]:
                    with suppress(FileExistsError):
                        os.mkdir(part, 0o777, dir_fd=at)
                    try:
                        below = os.open(part, _FOLDER, dir_fd=at)
                    except OSError as error:
                        if error.errno not in {errno.ENOTDIR, errno.ELOOP}:
                            raise
                        raise UnsafeError(
                            f"{self.target.joinpath(*parts)}: {part!r} is there, and is no folder",
                            hint="Choose another destination, or remove it.",
                        ) from error
                    os.close(at)
                    at = below
                yield at
            finally:
                os.close(at)

    def write(
        self,
        parts: Sequence[str],
        content: IO[bytes],
        mode: int,
        progress: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Write a file in it, or without `parts` itself. One that is there keeps its mode."""
        with self._place(parts) as (at, name), self._naming(parts):
            old = self._there(at, name, parts) if parts else self._old
            mode = mode if old is None else old.st_mode
            new = temporary_name()
            number = os.open(new, _NEW, mode & 0o777, dir_fd=at)
            try:
                with os.fdopen(number, "wb") as file:
                    if old is not None:
                        os.fchmod(number, mode & 0o777)
                    while data := content.read(_PORTION):
                        file.write(data)
                        progress(len(data))
                self._rename(at, new, name)
            except BaseException:
                with suppress(OSError):
                    os.unlink(new, dir_fd=at)
                raise

    def copy(self, first: Sequence[str], parts: Sequence[str]) -> None:
        """Write a file that is the same as an earlier one in it."""
        with self._place(first) as (at, name), self._naming(first):
            number = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
        with os.fdopen(number, "rb") as file:
            self.write(parts, file, os.fstat(number).st_mode)

    @contextmanager
    def _place(self, parts: Sequence[str]) -> Iterator[tuple[int, str]]:
        """The folder and the name of a file."""
        if not parts:
            yield self._parent, self._name
            return
        with self.folder(parts[:-1]) as at:
            yield at, parts[-1]

    def _there(self, at: int, name: str, parts: Sequence[str]) -> os.stat_result | None:
        """What is at a name; None: nothing. A folder may be there only where all is to go."""
        try:
            found = os.stat(name, dir_fd=at, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if stat.S_ISREG(found.st_mode) or (not parts and stat.S_ISDIR(found.st_mode)):
            return found
        raise UnsafeError(
            f"cannot write {self.target.joinpath(*parts)}: what is there is no file",
            hint="It may be a symbolic link. Choose another destination.",
        )

    @staticmethod
    def _rename(at: int, new: str, name: str) -> None:
        os.rename(new, name, src_dir_fd=at, dst_dir_fd=at)

    def _remove(self) -> None:
        """Remove what has no final name, if there is such."""
        with suppress(OSError):  # a folder
            os.unlink(self._name, dir_fd=self._parent)
        shutil.rmtree(self.target.with_name(self._name), ignore_errors=True)

    @contextmanager
    def _naming(self, parts: Sequence[str]) -> Iterator[None]:
        """Name the file in errors by the name that it is to get."""
        try:
            yield
        except OSError as error:
            raise ConfigurationError(
                f"cannot write {self.target.joinpath(*parts)}: {error.strerror or error}"
            ) from error
