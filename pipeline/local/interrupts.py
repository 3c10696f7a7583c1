"""Makes sure that Ctrl-C ends a run at any moment."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

_AGAIN_S = 0.2


@contextlib.contextmanager
def never_lost() -> Iterator[None]:
    """Raises KeyboardInterrupt in the block even if the first one was swallowed.

    Python ignores errors raised in the callback of a weak reference, in `__del__` or in
    a callback from C. If that happens to the KeyboardInterrupt of Ctrl-C, the signal is
    sent once more. This works in the main thread only.
    """
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        # Later, or it would be raised in the same callback.
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
