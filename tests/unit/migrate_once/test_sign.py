"""The sign of a run in an empty database."""

import time
from datetime import datetime, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agtool.migrate_once.engines.mysql.proof import Counted
from agtool.migrate_once.engines.sign import Sign
from agtool.migrate_once.model import Attempt, Unfinished, new_run_id

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=500)


@given(TEXTS, st.none() | TEXTS, TEXTS, st.floats(0, 4000), st.integers(0, 1000))
def test_a_sign_is_read_as_it_was_written(
    name: str, key: str | None, place: str, patience: float, failed: int
) -> None:
    attempt = Attempt(name, key, place, new_run_id())
    sign = Sign.of("lock", attempt, patience, NOW, failed)
    assert (Sign.parse(str(sign)), sign.failed) == (sign, failed)
    assert sign.unfinished() == Unfinished(attempt.run_id, place[:200], patience)
    run = sign.run(NOW)
    assert (run.key is None, run.started_at, run.seconds) == (key is None, NOW, 0.0)


def test_a_sign_has_room_in_a_comment() -> None:
    """MariaDB's may have 1,024 characters."""
    attempt = Attempt("n" * 200, "k" * 500, "p" * 300, new_run_id())
    assert len(str(Sign.of("agtool:" + "0" * 40, attempt, 21.0, NOW, 1000))) <= 1024


@pytest.mark.parametrize(
    "text",
    ["", "shop", "agtool migrate-once ", "agtool migrate-once {}", "agtool migrate-once [1]"],
)
def test_what_others_wrote_is_no_sign(text: str) -> None:
    assert Sign.parse(text) is None


@pytest.mark.parametrize(
    ("before", "aborted", "age", "proves"),
    [
        (None, 0, 60, True),
        (None, 0, 20, False),  # it has started since, and forgotten what was
        (None, 7, 60, False),
        (7, 7, 20, True),
        (7, 8, 60, False),
        (7, 0, 20, False),  # FLUSH STATUS
    ],
)
def test_what_the_servers_count_proves(
    before: int | None, aborted: int, age: float, *, proves: bool
) -> None:
    since = time.monotonic() - age
    seen = None if before is None else Counted(before, since)
    assert Counted(aborted, since).proves(seen, 21.0) == proves


def test_the_count_of_a_server_that_has_restarted_proves_nothing() -> None:
    now = time.monotonic()
    assert not Counted(0, now - 5).proves(Counted(0, now - 50), 21.0)
