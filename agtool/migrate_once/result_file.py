"""The file in which `--result-file` wants to read how an invocation ended."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from agtool.core.command import document
from agtool.core.errors import AgtoolError, ConfigurationError, unexpected
from agtool.core.output import say
from agtool.migrate_once.model import Attempt, Outcome


class ResultFile:
    """The result file; use as a context around everything whose error shall stand in it.

    Args:
        path: None: there is no such file, and nothing is written.
        exit_code: gives the exit code for an error.

    Raises:
        ConfigurationError: it cannot be opened; told before anything else is done.
    """

    def __init__(self, path: Path | None, exit_code: Callable[[AgtoolError], int]) -> None:
        self._path = path
        self._exit_code = exit_code
        # /dev/stderr and its like name an open file, whose earlier content is not ours.
        self._mode = "a" if str(path).startswith(("/dev/std", "/dev/fd/", "/proc/")) else "w"

    def __enter__(self) -> ResultFile:
        try:
            self._append("")
        except OSError as error:
            raise ConfigurationError(
                f"cannot write the result file {self._path}: {error.strerror}",
                hint="Give --result-file a path in a directory that exists and can be written.",
            ) from error
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, Exception):
            failure = error if isinstance(error, AgtoolError) else unexpected(error)
            self._write(None, self._exit_code(failure), [failure])

    def record(self, attempt: Attempt, lock_name: str, outcome: Outcome) -> None:
        """Write how it ended."""
        if self._path is None:
            return
        from agtool.migrate_once import documents

        known = outcome._asdict()
        del known["exit_code"]
        data = documents.Outcome(
            name=attempt.name, key=attempt.key, place=attempt.place, lock=lock_name, **known
        )
        self._write(data, outcome.exit_code, [])

    def _write(self, data: object, exit_code: int, errors: Sequence[AgtoolError]) -> None:
        import json

        written = document("migrate-once", data=data, exit_code=exit_code, errors=errors)
        try:
            self._append(json.dumps(written) + "\n")
        except OSError as failure:
            # The command's exit code is worth more than its report.
            say(
                f"cannot write the result file {self._path}: {failure.strerror}",
                "result-file",
                level="warning",
            )

    def _append(self, text: str) -> None:
        if self._path is not None:
            with self._path.open(self._mode, encoding="utf-8") as file:
                file.write(text)
