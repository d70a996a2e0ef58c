"""What the shell offers comes within the second, however long the start has taken."""

import time

import pytest

from agtool.core import completion


@pytest.mark.parametrize("age", [0.0, 0.5, 0.75, 3.0])
def test_a_search_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch, age: float) -> None:
    monkeypatch.delenv("AGTOOL_COMPLETION_TIMEOUT", raising=False)
    monkeypatch.setattr(completion, "_seconds_since_start", lambda: age)
    waited: list[float] = []
    monkeypatch.setattr(completion.select, "select", lambda *a: waited.append(a[3]) or ([], [], []))
    assert completion._found_in_time(lambda: time.sleep(60) or []) == []  # noqa: SLF001
    (seconds,) = waited
    assert seconds <= max(0.1, 0.8 - age)
