"""The password in what drivers and servers say: masked where it is a value, and nowhere else."""

import pytest

from agtool.migrate_once.url.masking import mask

LIBPQ = (
    'connection to server at "127.0.0.1", port 5432 failed: FATAL:  '
    'password authentication failed for user "app"'
)
PYMYSQL = "(1045, \"Access denied for user 'app'@'10.0.0.7' (using password: YES)\")"
GERMAN = "Passwort-Authentifizierung für Benutzer \u201eapp\u201c fehlgeschlagen"

WORDS = ["a", "e", "port", "FATAL", "password", "authentication", "5432", "YES", "***", "/", "."]


@pytest.mark.parametrize("text", [LIBPQ, PYMYSQL, GERMAN])
@pytest.mark.parametrize("password", WORDS)
def test_a_word_of_the_message_is_left(password: str, text: str) -> None:
    assert mask(text, [password], {"app"}) == text


@pytest.mark.parametrize("password", ["app", "127.0.0.1"])
def test_what_the_address_shows_is_left(password: str) -> None:
    assert mask(LIBPQ, [password], {"app", "127.0.0.1", "5432"}) == LIBPQ


@pytest.mark.parametrize("password", [*WORDS, "s3cret", "it's \\ s3cret", "p@ss/w:rd %", "münchen"])
@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ('invalid value "{}" for it', 'invalid value "***" for it'),
        ("invalid value '{}'", "invalid value '***'"),
        ("option `{}`: unknown", "option `***`: unknown"),
        ("ung\u00fcltig: \u00bb{}\u00ab", "ung\u00fcltig: \u00bb***\u00ab"),
        ("non valide : \u00ab\u00a0{}\u00a0\u00bb", "non valide : \u00ab\u00a0***\u00a0\u00bb"),
        ("host=h password={} dbname=d", "host=h password=*** dbname=d"),
        ("cannot open postgresql://app:{}@h/d", "cannot open postgresql://app:***@h/d"),
    ],
)
def test_a_value_is_masked(password: str, text: str, masked: str) -> None:
    assert mask(text.format(password), [password], {"app"}) == masked.format(password)


@pytest.mark.parametrize(
    ("spelling", "password"),
    [("p%40ss%20w0rd", "p@ss w0rd"), ("p%40ss+w0rd", "p@ss w0rd"), ("it\\'s 1", "it's 1")],
)
def test_every_spelling_is_masked(spelling: str, password: str) -> None:
    assert mask(f"tried 'mysql://app:{spelling}@h'", [password], ()) == "tried 'mysql://app:***@h'"
    assert mask(f"bad: {spelling}!", [password], ()) == "bad: ***!"


def test_what_is_no_word_is_masked_wherever_it_stands() -> None:
    assert mask("bad password s3cret, s3cret", ["s3cret"], ()) == "bad password ***, ***"
    assert mask("bad s3crets", ["s3cret"], ()) == "bad s3crets"
    assert mask("bad 0s3cret-s3cret0", ["s3cret-s3cret"], ()) == "bad 0***0"


def test_each_secret_is_masked_and_an_empty_one_is_none() -> None:
    assert mask('"a" "b" ""', ["", "a", "b"], ()) == '"***" "***" ""'
