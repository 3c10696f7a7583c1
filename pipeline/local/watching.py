"""A thread that looks at this process again and again while something else runs."""

import abc
import contextlib
import threading
from collections.abc import Iterator


class Watcher(abc.ABC):
    """Calls `look` at once, then at regular times until it is stopped.

    Args:
        name: of the thread.
        every_s: seconds between two looks.
    """

    def __init__(self, *, name: str, every_s: float) -> None:
        self._name = name
        self._every_s = every_s
        self._stop = threading.Event()

    @abc.abstractmethod
    def look(self) -> None:
        """Notes what there is to see; called in the watcher's own thread."""

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Looks until the block ends."""
        thread = threading.Thread(target=self._watch, name=self._name, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()

    def _watch(self) -> None:
        self.look()
        while not self._stop.wait(self._every_s):
            self.look()
