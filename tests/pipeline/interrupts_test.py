"""Ctrl-C that Python or a package would drop is sent again until it ends the block."""

import contextlib
import os
import signal
import sys
import time
import weakref

import pytest

from pipeline import interrupts


class _Thing:
    pass


def _press_ctrl_c(_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # The signal's handler runs here, in the callback.


def _work():
    thing = _Thing()
    reference = weakref.ref(thing, _press_ctrl_c)
    with interrupts.never_lost():
        del thing  # Python drops the exception here.
        assert reference() is None
        time.sleep(30)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_in_the_callback_of_a_weak_reference_is_not_lost():
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        _work()
    assert sys.unraisablehook is before


def _press():
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)


def _swallow():
    """Drops Ctrl-C as a package does that ignores a failed import of another one."""
    with contextlib.suppress(BaseException):
        _press()


def _swallow_and_work():
    with interrupts.never_lost():
        _swallow()
        assert interrupts.was_pressed()
        time.sleep(30)


def _swallow_and_fail():
    with interrupts.never_lost():
        _swallow()
        raise AttributeError("partially initialized module")


def _clean_up(how):
    with interrupts.never_lost():
        try:
            _press()
        finally:
            how()


@pytest.mark.usefixtures("_ctrl_c_is_heard")
@pytest.mark.parametrize("work", [_swallow_and_work, _swallow_and_fail])
def test_ctrl_c_that_an_import_swallows_is_not_lost(work):
    with pytest.raises(KeyboardInterrupt):
        work()
    assert not interrupts.was_pressed()


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_what_cleans_up_is_not_disturbed():
    cleaned = []

    def clean():
        time.sleep(3 * interrupts._AGAIN_S)
        cleaned.append(True)

    with pytest.raises(KeyboardInterrupt):
        _clean_up(clean)
    assert cleaned
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_a_second_ctrl_c_stops_the_cleaning_up_too():
    def clean():
        _press()
        pytest.fail("This is not reached.")

    with pytest.raises(KeyboardInterrupt):
        _clean_up(clean)


def test_ctrl_c_that_is_ignored_stays_so():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with interrupts.never_lost():
            _press()
    finally:
        signal.signal(signal.SIGINT, before)


def test_other_errors_in_callbacks_are_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    thing = _Thing()
    reference = weakref.ref(thing, lambda _: 1 / 0)
    with interrupts.never_lost():
        del thing
    assert reference() is None
    assert [unraisable.exc_type for unraisable in told] == [ZeroDivisionError]
