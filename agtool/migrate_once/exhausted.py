"""What is told when a key has failed as often as `--attempts` allows."""

from __future__ import annotations

from agtool.core.errors import WRAPPER_FAILED
from agtool.core.output import say
from agtool.core.text import count
from agtool.migrate_once.backend import Exhausted
from agtool.migrate_once.model import Attempt, Outcome

HINT = (
    "See the log of that run. When its cause is mended, run COMMAND once with --retry, which "
    "counts from zero, or roll out another key."
)


def reason(found: Exhausted, key: str | None) -> str:
    """That it has, in a sentence without its end."""
    code = "an unknown exit code" if found.failed_with is None else f"exit code {found.failed_with}"
    times = count(found.failures, "time")
    return f"key {key} has failed {times}, the last time on {found.place} with {code}"


def tell_exhausted(found: Exhausted, attempt: Attempt, outcome: Outcome) -> Outcome:
    """Tell it on stderr, and how the invocation ends."""
    why = reason(found, attempt.key)
    say(
        f"{why}; the command was not run",
        "attempts-exhausted",
        level="error",
        hint=HINT,
        key=attempt.key,
        failures=found.failures,
        failed_with=found.failed_with,
        place=found.place,
    )
    return outcome._replace(
        outcome="attempts-exhausted",
        exit_code=WRAPPER_FAILED,
        reason=why,
        failures=found.failures,
        failed_with=found.failed_with,
    )
