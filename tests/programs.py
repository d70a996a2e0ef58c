"""What the programs of the tests share (`python -m tests.tools`, ...): a voice, and an end."""

import sys
from collections.abc import Callable
from typing import NoReturn


def voice(name: str) -> Callable[[str], None]:
    """The function that tells a person at the terminal something, with the program's name."""

    def say(text: str) -> None:
        sys.stderr.write(f"{name}: {text}\n")
        sys.stderr.flush()

    return say


def carry_out(main: Callable[[], int], say: Callable[[str], None]) -> NoReturn:
    """Run a program to its end, and end with its exit code; 130 after Ctrl-C, as a shell has it."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        say("interrupted")
        sys.exit(130)
