"""A signal ends a session, also where Python loses the exception."""

import os
import signal

import pytest

from agtool.debug.interrupts import Interrupts, Stopped


class Garbage:
    """Something that a signal meets while Python collects it."""

    def __del__(self) -> None:
        os.kill(os.getpid(), signal.SIGHUP)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_whose_exception_python_swallows() -> None:
    with Interrupts() as interrupts:
        with interrupts.allowed():
            garbage = Garbage()
            del garbage  # "Exception ignored in", and no more
        with pytest.raises(Stopped) as raised:
            interrupts.check()
    assert raised.value.number is signal.SIGHUP


def test_a_signal_that_is_heard_is_not_heard_while_we_end() -> None:
    with Interrupts() as interrupts:
        with pytest.raises(Stopped), interrupts.allowed():
            os.kill(os.getpid(), signal.SIGTERM)
        interrupts.ignore_for(60)
        os.kill(os.getpid(), signal.SIGTERM)
        interrupts.check()


def test_a_terminal_that_has_vanished() -> None:
    with Interrupts() as interrupts, pytest.raises(Stopped) as raised:
        interrupts.hang_up()
    assert raised.value.number is signal.SIGHUP
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # nohup
    try:
        with Interrupts() as interrupts:
            interrupts.hang_up()
    finally:
        signal.signal(signal.SIGHUP, previous)
