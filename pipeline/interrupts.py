"""Makes sure that Ctrl-C ends a command at any moment."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

STOPPED = 130  # The exit status after Ctrl-C, as of a shell: 128 + SIGINT.
_AGAIN_S = 0.5
_active: "_Press | None" = None


@contextlib.contextmanager
def never_lost() -> Iterator[None]:
    """Raises KeyboardInterrupt in the block even if it is swallowed at first.

    Python ignores errors raised in the callback of a weak reference, in `__del__` or in
    a callback from C, and packages catch whatever an import raises. So the signal of
    Ctrl-C is sent again until KeyboardInterrupt has left the block. Another error that
    leaves the block after Ctrl-C becomes KeyboardInterrupt, because such an error may
    come from a package that was imported by half.

    This works in the main thread only. Where Ctrl-C is ignored, as in the background of
    a shell, it stays ignored. A block in a block changes nothing.
    """
    global _active
    is_main = threading.current_thread() is threading.main_thread()
    if not is_main or signal.getsignal(signal.SIGINT) != signal.default_int_handler:
        yield
        return
    press, hook = _Press(), sys.unraisablehook
    _active = press
    sys.unraisablehook = lambda one: None if _is_ours(one.exc_value) else hook(one)
    signal.signal(signal.SIGINT, press.handle)
    try:
        yield
    except Exception as error:
        if press.happened:
            raise KeyboardInterrupt from error
        raise
    finally:
        press.end()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        sys.unraisablehook = hook
        _active = None


def was_pressed() -> bool:
    """Returns whether Ctrl-C was pressed in the present block of `never_lost`."""
    return _active is not None and _active.happened


class _Press:
    """Handles Ctrl-C, and sends the signal again while nobody handles the error.

    Attributes:
        happened: whether Ctrl-C was pressed.
    """

    def __init__(self) -> None:
        self.happened = False
        self._ended = False
        self._is_sent_again = False
        self._timer: threading.Timer | None = None

    def handle(self, *_: Any) -> None:
        """Raises KeyboardInterrupt, unless an earlier one is being handled."""
        again, self._is_sent_again = self._is_sent_again, False
        if self._ended:
            return
        self.happened = True
        self._timer = threading.Timer(_AGAIN_S, self._send)
        self._timer.daemon = True
        self._timer.start()
        # Blocks of `finally` and `except` that clean up are not disturbed.
        if again and _is_ours(sys.exc_info()[1]):
            return
        raise KeyboardInterrupt

    def end(self) -> None:
        """Sends no signal from now on."""
        self._ended = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer.join()

    def _send(self) -> None:
        if not self._ended:
            self._is_sent_again = True
            os.kill(os.getpid(), signal.SIGINT)


def _is_ours(error: BaseException | None) -> bool:
    """Returns whether an error is KeyboardInterrupt or was raised while one was."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None
