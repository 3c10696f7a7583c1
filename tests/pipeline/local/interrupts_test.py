"""Ctrl-C that Python would drop is sent once more."""

import os
import signal
import sys
import time
import weakref

import pytest

from pipeline.local import interrupts


class _Thing:
    pass


def _press_ctrl_c(_):
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.01)  # The handler runs here, in the callback.


def _work():
    thing = _Thing()
    reference = weakref.ref(thing, _press_ctrl_c)
    with interrupts.never_lost():
        del thing  # Here it is dropped.
        assert reference() is None
        time.sleep(30)


@pytest.fixture
def _ctrl_c_is_heard():
    """A shell starts what it puts into the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
def test_ctrl_c_in_the_callback_of_a_weak_reference_is_not_lost():
    before = sys.unraisablehook
    with pytest.raises(KeyboardInterrupt):
        _work()
    assert sys.unraisablehook is before


def test_other_errors_in_callbacks_are_told_as_before(monkeypatch):
    told = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    thing = _Thing()
    reference = weakref.ref(thing, lambda _: 1 / 0)
    with interrupts.never_lost():
        del thing
    assert reference() is None
    assert [unraisable.exc_type for unraisable in told] == [ZeroDivisionError]
