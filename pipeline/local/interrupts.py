"""Ctrl-C ends a run, wherever in a run it comes."""

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

    Python drops what is raised in the callback of a weak reference, in `__del__` or in
    a callback from C, and goes on. Where that happens to Ctrl-C it is sent once more.
    For the main thread.
    """
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        if not issubclass(unraisable.exc_type, KeyboardInterrupt):
            before(unraisable)
            return
        # Not at once: it would end up in the same callback.
        again = threading.Timer(_AGAIN_S, os.kill, (os.getpid(), signal.SIGINT))
        again.daemon = True
        again.start()

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
