"""Which options have an effect in which form of the command."""

import pytest
import typer.main

from agtool.core.errors import UsageError
from agtool.migrate_once.cli import app
from agtool.migrate_once.cli.modes import (
    EFFECTS,
    choose_form,
    refuse_useless,
    refuse_without_key,
)

FORMS = ("", "--wait", "--check", "--status")
EVERYWHERE = {
    *("--database-url", "--database-url-file", "--engine", "--host", "--port", "--user"),
    *("--password-file", "--password-command", "--database", "--lock-table", "--connect-timeout"),
    *("--database-url-env", "--host-env", "--port-env", "--user-env", "--password-env"),
    *("--database-env", "--log-format", "--help"),
}


def command(form: str) -> list[str]:
    """What the form needs as its command."""
    return [] if form else ["true"]


def test_every_option_has_its_place() -> None:
    """A new one has to be put into a form, or into the list above."""
    options = {
        max(parameter.opts, key=len)
        for parameter in typer.main.get_command(app).params
        if parameter.param_type_name == "option"
    }
    somewhere = {option for form in FORMS for option in EFFECTS[form]}
    assert not somewhere & EVERYWHERE
    assert options - EVERYWHERE - somewhere - set(FORMS) == set()
    assert somewhere <= options


@pytest.mark.parametrize("form", FORMS)
def test_a_form_takes_what_it_obeys(form: str) -> None:
    given = {form, *EVERYWHERE, *EFFECTS[form]} - {""}
    refuse_useless(form, given, command(form))
    refuse_without_key(form, given, "k")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("other", FORMS)
def test_a_form_refuses_what_only_others_obey(form: str, other: str) -> None:
    for option in EFFECTS[other] - EFFECTS[form]:
        with pytest.raises(UsageError) as error:
            refuse_useless(form, {option}, command(form))
        homes = [name for name in FORMS if option in EFFECTS[name]]
        where = f"with {form}" if form else f"without {' or '.join(homes)}"
        assert error.value.message == f"{option} has no effect {where}"


@pytest.mark.parametrize("first", FORMS[1:])
@pytest.mark.parametrize("second", FORMS[1:])
def test_there_is_one_form(first: str, second: str) -> None:
    form = choose_form(
        {name: name in {first, second} for name in ("--wait", "--check", "--status")}
    )
    assert form in {first, second}
    if first != second:
        with pytest.raises(UsageError, match=f"has no effect with {form}"):
            refuse_useless(form, {first, second}, [])


def test_without_any_there_has_to_be_a_command() -> None:
    assert choose_form({"--wait": False}) == ""
    with pytest.raises(UsageError, match="there is no COMMAND"):
        refuse_useless("", set(), None)
    with pytest.raises(UsageError, match="--status runs no command"):
        refuse_useless("--status", {"--status"}, ["true"])


@pytest.mark.parametrize(
    ("form", "option"),
    [("", "--attempts"), ("", "--retry"), ("--check", "--name"), ("--status", "--name")],
)
def test_what_needs_a_key(form: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"{option} has no effect without --key"):
        refuse_without_key(form, {option}, None)
    refuse_without_key(form, set(), None)


def test_to_wait_needs_a_key() -> None:
    with pytest.raises(UsageError, match="--wait needs --key"):
        refuse_without_key("--wait", set(), None)
