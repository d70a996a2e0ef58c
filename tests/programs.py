"""What the programs of the tests share (`python -m tests.tools`, ...): a voice, and an end.

SIGTERM ends them as Ctrl-C does: by an exception, before which all that was started is stopped.
"""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn


class Terminated(KeyboardInterrupt):
    """SIGTERM has come."""


def voice(name: str) -> Callable[[str], None]:
    """The function that tells a person at the terminal something, with the program's name."""

    def say(text: str) -> None:
        sys.stderr.write(f"{name}: {text}\n")
        sys.stderr.flush()

    return say


def tell(text: str) -> None:
    """Say something on stdout at once: what the program found."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def carry_out(main: Callable[[], int], say: Callable[[str], None]) -> NoReturn:
    """Run a program to its end, and end with its exit code.

    After Ctrl-C that is 130, and after SIGTERM 143, as a shell has it.
    """
    end_in_order()
    try:
        sys.exit(main())
    except KeyboardInterrupt as interrupt:
        terminated = isinstance(interrupt, Terminated)
        say("terminated" if terminated else "interrupted")
        sys.exit(128 + (signal.SIGTERM if terminated else signal.SIGINT))


def end_in_order() -> None:
    """Raise Terminated when SIGTERM comes, for this process; once, so that the end is in peace."""
    signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, _: object) -> NoReturn:
    # Not SIG_IGN, which what is started to clean up would inherit.
    signal.signal(number, lambda *_: None)
    raise Terminated


def to_its_end(argv: Sequence[str | Path], folder: Path | None = None) -> int:
    """Run a program that needs time to end in order, as pytest does; return its exit code.

    What interrupts us is the program's too, and is raised when that has ended.
    """
    with subprocess.Popen(argv, cwd=folder) as running, ending_with_us(running):
        return running.wait()


@contextmanager
def ending_with_us(running: subprocess.Popen[bytes] | subprocess.Popen[str]) -> Iterator[None]:
    """Let a process end before us when we are interrupted: Ctrl-C it hears itself."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        if isinstance(interrupt, Terminated):
            running.terminate()
        while running.poll() is None:
            with suppress(KeyboardInterrupt):
                running.wait()
        raise
