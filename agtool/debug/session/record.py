"""A session as a file, to look at later: asciicast v2, as asciinema plays it.

What is typed is not recorded, but what the terminal echoes of it is. Nothing is masked.
Source: https://docs.asciinema.org/manual/asciicast/v2/
"""

from __future__ import annotations

import json
import os
import time
from codecs import getincrementaldecoder
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from agtool.core.errors import ConfigurationError, UsageError
from agtool.core.output import say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Recording:
    """The file; use as a context. Each event is in it as soon as it has happened.

    At the end it is removed if there was no session to record: it would be in the way of the next.

    Raises:
        UsageError: there is such a file already.
        ConfigurationError: it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            # For its owner only: it holds what the terminal showed.
            self._file: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError as error:
            raise UsageError(
                f"--record {path}: there is such a file already", hint="Choose another name."
            ) from error
        except OSError as error:
            raise ConfigurationError(f"--record: cannot make {path}: {error.strerror}") from error
        self._empty = True
        self._began = time.monotonic()
        self._decode = getincrementaldecoder("utf-8")("replace").decode

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *_: object) -> None:
        self.output(b"", final=True)
        self._stop()
        if self._empty:
            with suppress(OSError):
                self._path.unlink()

    def begin(self, size: tuple[int, int], command: Sequence[str]) -> None:
        """Write what stands first. `size` is columns and lines."""
        header: dict[str, Any] = {
            "version": 2,
            "width": size[0],
            "height": size[1],
            "timestamp": int(time.time()),
            "env": {"TERM": os.environ.get("TERM", "")},
        }
        self._began = time.monotonic()
        self._empty = False
        self._write(header | ({"command": " ".join(command)} if command else {}))

    def output(self, data: bytes, *, final: bool = False) -> None:
        """What the terminal gets. A letter may come in two parts."""
        if text := self._decode(data, final):
            self._event("o", text)

    def resized(self, size: tuple[int, int]) -> None:
        """The terminal's new size, in columns and lines."""
        self._event("r", f"{size[0]}x{size[1]}")

    def _event(self, kind: str, data: str) -> None:
        self._write([round(time.monotonic() - self._began, 6), kind, data])

    def _write(self, value: Any) -> None:
        if self._file is None:
            return
        line = memoryview((json.dumps(value, ensure_ascii=False) + "\n").encode(errors="replace"))
        try:
            while line:
                line = line[os.write(self._file, line) :]
        except OSError as error:
            self._stop()
            say(f"{self._path} ends here: {error.strerror}\r", level="warning")

    def _stop(self) -> None:
        if self._file is not None:
            with suppress(OSError):
                os.close(self._file)
            self._file = None
