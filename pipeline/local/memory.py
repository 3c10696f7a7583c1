"""How much memory this process and those that it started take while a run goes on."""

import bisect
import contextlib
import threading
import time
from collections.abc import Iterator

import psutil

_SECONDS_BETWEEN = 0.5


class Memory:
    """Looks twice a second how much memory is in use."""

    def __init__(self) -> None:
        self._times: list[float] = []
        self._bytes: list[int] = []
        self._stop = threading.Event()

    @contextlib.contextmanager
    def watching(self) -> Iterator["Memory"]:
        """Looks until the block ends."""
        thread = threading.Thread(target=self._watch, name="memory", daemon=True)
        thread.start()
        try:
            yield self
        finally:
            self._stop.set()
            thread.join()

    def between(self, start: float, end: float) -> float | None:
        """Returns the peak between two times; None if it was not looked at in between.

        A time shorter than the pause between two looks gets the look before it.

        Args:
            start: seconds since 1970.
            end: seconds since 1970.

        Returns:
            MB of 10^6 bytes.
        """
        first = bisect.bisect_left(self._times, start)
        last = bisect.bisect_right(self._times, end)
        seen = self._bytes[first:last] or self._bytes[max(first - 1, 0) : first]
        return round(max(seen) / 1e6, 1) if seen else None

    def _watch(self) -> None:
        process = psutil.Process()
        while True:
            self._times.append(time.time())
            self._bytes.append(_in_use(process))
            if self._stop.wait(_SECONDS_BETWEEN):
                return


def _in_use(process: psutil.Process) -> int:
    """Returns the resident bytes of a process and of all that it started."""
    total = 0
    for one in (process, *process.children(recursive=True)):
        # A process may end while it is looked at.
        with contextlib.suppress(psutil.Error):
            total += one.memory_info().rss
    return total
