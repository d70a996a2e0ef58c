"""`--status` for people: what it cannot know it says, and it fits in 72 columns."""

import re
import sys
from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from agtool.core.output import print_view
from agtool.migrate_once.documents import Run, Status
from agtool.migrate_once.status import summary, view
from tests.unit.core.test_table import Terminal

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
RUN = Run("1", "shop", "v2", "shop-74fd-x7k2p", "running", NOW, NOW, None, 12.3, None)
EARLIER = replace(RUN, run_id="0", state="done", started_at=NOW - timedelta(days=1), exit_code=0)
UNKNOWN = (
    "Others may wait for it: they cannot be counted until this first command in an empty database "
    "has ended"
)
HELD = Status("table t", True, NOW, [RUN], [], [EARLIER])


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (HELD, "held by shop-74fd-x7k2p for 12 s, 0 waiting"),
        (replace(HELD, held=False, running=[], history=[]), "free, 0 waiting; nothing has run yet"),
        (replace(HELD, running=[]), "held, but its holder has not recorded a run; 0 waiting"),
        (
            replace(HELD, waiting=None),
            f"held by shop-74fd-x7k2p for 12 s. {UNKNOWN}",
        ),
        (
            replace(HELD, waiting=None, running=[]),
            f"held. {UNKNOWN}",
        ),
    ],
)
def test_summary(status: Status, says: str) -> None:
    assert summary(status) == says


def test_a_run_of_today_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    output = Terminal()
    monkeypatch.setenv("COLUMNS", "72")
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setattr(sys, "stdout", output)
    print_view(view(replace(HELD, waiting=[replace(RUN, state="waiting")])))
    shown = re.sub(r"\x1b\[[01]m", "", output.getvalue()).splitlines()
    assert [line.split() for line in shown[2:4]] == [
        ["running", "shop-74fd-x7k2p", "shop", "v2", "03:04:05", "12.3"],
        ["waiting", "shop-74fd-x7k2p", "shop", "v2", "03:04:05", "12.3"],
    ]
    # Yesterday has its day, on two lines if need be.
    assert "2026-01-01" in shown[4]
    assert max(map(len, shown)) <= 72
