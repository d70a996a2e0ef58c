"""The one place where signal handlers are installed."""

import os
import select
import signal
import time

import pytest

from agtool.core.signals import Signals, Wakeup, do_nothing, handled, reap, wake_at

HUP = signal.SIGHUP


def test_a_handler_is_there_inside_only() -> None:
    came: list[int] = []
    before = signal.getsignal(HUP)
    with handled({HUP: lambda number, _: came.append(number)}):
        os.kill(os.getpid(), HUP)
    assert came == [HUP]
    assert signal.getsignal(HUP) is before


def test_it_goes_also_after_an_error() -> None:
    before = signal.getsignal(HUP)
    with pytest.raises(ValueError, match="x"), handled({HUP: do_nothing}):
        raise ValueError("x")
    assert signal.getsignal(HUP) is before


@pytest.fixture
def _ignored() -> object:
    """Ignore SIGHUP, as nohup does."""
    before = signal.signal(HUP, signal.SIG_IGN)
    yield
    signal.signal(HUP, before)


@pytest.mark.usefixtures("_ignored")
def test_what_was_ignored_stays_ignored() -> None:
    with handled({HUP: do_nothing}):
        assert signal.getsignal(HUP) is signal.SIG_IGN
    with Signals() as signals:
        os.kill(os.getpid(), HUP)
        assert signals.drain() == []
    assert signal.getsignal(HUP) is signal.SIG_IGN


def test_a_wakeup_is_readable_once_it_was_woken() -> None:
    with Wakeup() as wakeup:
        assert select.select([wakeup], [], [], 0)[0] == []
        assert wakeup.drain() == b""
        for _ in range(100_000):  # more than a pipe holds
            wakeup.wake()
        assert select.select([wakeup], [], [], 0)[0] == [wakeup]
        while wakeup.drain():
            pass
        began = time.monotonic()
        wakeup.wait(0.05)
        assert time.monotonic() - began >= 0.04
        wakeup.wake()
        wakeup.wait(60)


def test_signals_wake_up() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    with Wakeup() as wakeup:
        descriptor = wake_at(wakeup, signal.SIGUSR1)
        try:
            os.kill(os.getpid(), signal.SIGUSR1)
            wakeup.wait(60)
            assert wakeup.drain() == bytes([signal.SIGUSR1])
        finally:
            signal.set_wakeup_fd(descriptor)
            signal.signal(signal.SIGUSR1, before)


def test_signals_come_in_order_and_a_childs_end_wakes_up_too() -> None:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGCHLD)}
    with Signals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)
        os.kill(os.getpid(), signal.SIGHUP)
        assert signals.drain() == [signal.SIGTERM, signal.SIGHUP]
        child = os.fork()
        if not child:
            os._exit(7)
        assert select.select([signals], [], [], 60)[0]
        assert signals.drain() == []
        assert reap() == ({child: 7 << 8}, False)
    assert {number: signal.getsignal(number) for number in before} == before
