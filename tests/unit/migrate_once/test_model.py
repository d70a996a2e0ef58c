"""Table names, and the figures on which exclusion rests."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.core.errors import UsageError
from agtool.migrate_once.model import (
    HEARTBEAT,
    NOTICE,
    REPLY,
    TableName,
    look_interval,
    poll_interval,
    time_to_die,
)


@given(st.floats(0, 1e6), st.integers(0, 10_000))
def test_polling_is_quick_at_first_and_never_a_burden(waited: float, waiters: int) -> None:
    interval = poll_interval(waited, waiters)
    assert 0.1 <= interval <= 2.0
    assert interval <= max(0.1, waited * 0.01, waiters * 0.02)
    if 5 <= waiters <= 100:
        assert waiters / interval <= 50.1  # tries per second, all together


@given(st.floats(0, 1e6))
def test_polling_is_no_burden_where_nothing_tells_how_many_wait(waited: float) -> None:
    assert 0.2 <= poll_interval(waited, None) <= 2.0


@given(st.floats(0, 1e6))
def test_those_who_only_wait_look_less_often_the_longer_it_takes(waited: float) -> None:
    interval = look_interval(waited)
    assert 1.0 <= interval <= 30.0
    assert interval <= max(1.0, waited)
    if waited >= 10:
        assert 500 / interval <= 50.1  # looks per second of 500 pods


@given(st.floats(0, 3600))
def test_a_holder_is_dead_before_anybody_else_may_begin(grace: float) -> None:
    assert NOTICE == HEARTBEAT + REPLY
    assert NOTICE + grace < time_to_die(grace)


@pytest.mark.parametrize(
    ("text", "schema", "table"),
    [
        ("install_locks", None, "install_locks"),
        ("agtool.install_locks", "agtool", "install_locks"),
        ("Agtool.Install_Locks", "agtool", "install_locks"),
        ('"My-App"."Lock Table"', "My-App", "Lock Table"),
        ('app."Locks"', "app", "Locks"),
        ('"a.b".c', "a.b", "c"),
    ],
)
def test_table_names(text: str, schema: str | None, table: str) -> None:
    assert TableName.parse(text) == TableName(schema, table)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a.", ".a", "a.b.c", "a b", "a;b", 'a"', '""', '"a', "1a", "a-b", '"a%b"', "x" * 59],
)
def test_bad_table_names(text: str) -> None:
    with pytest.raises(UsageError):
        TableName.parse(text)


@given(st.from_regex(r'[^"%\0]{1,14}', fullmatch=True))
def test_a_quoted_name_is_quoted_back(name: str) -> None:
    assert TableName.parse(f'"{name}"').quoted('"') == f'"{name}"'


def test_the_companion_table() -> None:
    assert str(TableName.parse("a.b").runs) == "a.b_runs"
    assert TableName.parse("a.b").runs.quoted("`") == "`a`.`b_runs`"
