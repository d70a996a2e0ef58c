"""The forms of the command: with COMMAND, or with an option in its place. What counts in which."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from agtool.core.errors import UsageError, without_effect
from agtool.migrate_once.words import for_status

WITH_COMMAND = ""
"""The form that runs COMMAND; the others have the name of their option."""

EFFECTS: Mapping[str, frozenset[str]] = {
    WITH_COMMAND: frozenset(
        {
            *("--attempts", "--key", "--kill-grace", "--lock", "--metrics-file", "--name"),
            *("--result-file", "--retry", "--wait-timeout"),
        }
    ),
    "--wait": frozenset(
        {"--attempts", "--key", "--metrics-file", "--name", "--result-file", "--wait-timeout"}
    ),
    "--check": frozenset({"--attempts", "--key", "--lock", "--name", "--output"}),
    "--status": frozenset({"--key", "--like-running", "--limit", "--lock", "--name", "--output"}),
}
"""What has an effect in which of them; what is not named here has one in all."""

_OF_A_KEY = {
    WITH_COMMAND: ("--attempts", "--retry"),
    "--wait": (),
    "--check": ("--attempts", "--name"),
    "--status": ("--name",),
}
"""What has an effect with --key only."""


def choose_form(chosen: Mapping[str, bool]) -> str:
    """The form that was asked for.

    Args:
        chosen: by the names of their options, whether the other forms than that with COMMAND were.
    """
    return next((name for name, is_wanted in chosen.items() if is_wanted), WITH_COMMAND)


def obeys(form: str, option: str) -> bool:
    """Whether the option has an effect in the form."""
    return option in EFFECTS[form]


_OF_WHO_ASKS = {"--status", "--check", "--wait", "--like-running", "--limit", "--output", "-o"}
"""Options of one who asks, which are not taken over from another agtool."""


def for_status_of(arguments: Sequence[str], parameters: Iterable[Any]) -> dict[str, str | None]:
    """The options of another agtool that say what its --status would look at.

    Args:
        arguments: of it.
        parameters: of the command, as Typer has parsed it.
    """
    takes_value = {name: not one.is_flag for one in _options(parameters) for name in one.opts}
    known = takes_value.keys() - _OF_WHO_ASKS
    elsewhere = frozenset().union(*EFFECTS.values()) - EFFECTS["--status"]
    found = for_status(arguments, takes_value)
    return {name: value for name, value in found.items() if name in known - elsewhere}


def _options(parameters: Iterable[Any]) -> list[Any]:
    return [one for one in parameters if one.param_type_name == "option"]


def refuse_useless(form: str, given: set[str], command: Sequence[str] | None) -> None:
    """Refuse what has no effect in the form.

    Args:
        given: the options that stand on the command line. What stands in the environment and has
            no effect is no error: a pod's settings are there for all that runs in it.

    Raises:
        UsageError: there is such an option, or COMMAND is missing or too much.
    """
    if form and command:
        raise UsageError(f"{form} runs no command", hint="Leave out what follows --.")
    if not form and not command:
        raise UsageError(
            "there is no COMMAND to run",
            hint="Example: agtool migrate-once -- alembic upgrade head\n"
            "To see what has run: agtool migrate-once --status",
        )
    other_forms = EFFECTS.keys() - {form}
    useless = given & (other_forms | frozenset().union(*EFFECTS.values())) - EFFECTS[form]
    if useless:
        option = min(useless)
        homes = [name for name in EFFECTS if obeys(name, option)]
        only_elsewhere = form == WITH_COMMAND and homes
        raise without_effect(
            option, f"without {' or '.join(homes)}" if only_elsewhere else f"with {form}"
        )


def refuse_without_key(form: str, given: set[str], key: str | None) -> None:
    """Raises UsageError if the form needs a key, or an option on the command line does."""
    if key is not None:
        return
    if form == "--wait":
        raise UsageError(
            "--wait needs --key", hint="Give the key of the command that another pod runs."
        )
    if useless := given & set(_OF_A_KEY[form]):
        option = min(useless)
        raise without_effect(option, "without --key", f"Give --key KEY, or leave out {option}.")
