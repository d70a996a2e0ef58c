"""What the shell offers comes within the second, however long the start has taken."""

import time

import pytest

from agtool.core import completion


def hang() -> list[str]:
    """Search, and find nothing for a minute."""
    time.sleep(60)
    return []


@pytest.mark.parametrize("age", [0.0, 0.5, 0.75, 3.0])
def test_a_search_that_hangs_ends_in_time(monkeypatch: pytest.MonkeyPatch, age: float) -> None:
    waited: list[float] = []

    def wait(*arguments: float) -> tuple[list[int], list[int], list[int]]:
        waited.append(arguments[3])
        return [], [], []

    monkeypatch.delenv("AGTOOL_COMPLETION_TIMEOUT", raising=False)
    monkeypatch.setattr(completion, "_seconds_since_start", lambda: age)
    monkeypatch.setattr("select.select", wait)
    assert completion._found_in_time(hang) == []  # noqa: SLF001
    (seconds,) = waited
    assert seconds <= max(0.1, 0.8 - age)
