"""What may never be answered is waited for no longer than that."""

import _thread
import threading

import pytest

from agtool.migrate_once.answers import in_time, within


def test_whether_it_returned_in_time() -> None:
    never = threading.Event()

    def wait() -> None:
        never.wait()

    assert within(60, lambda: None)
    assert not within(0.01, wait)
    never.set()


def test_what_fails_is_over_too() -> None:
    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        in_time(fail)


def test_a_thread_that_got_no_memory_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    # Stands for one that Python gave up before its first line, as in cpython/140746.
    monkeypatch.setattr(_thread, "start_new_thread", lambda *_: 0)
    assert not within(0.01, lambda: None)
