"""Measures the memory of this process and its children while a run goes on."""

import bisect
import contextlib
import time

import psutil

from pipeline.local import watching

_SECONDS_BETWEEN = 0.5


class Memory(watching.Watcher):
    """Measures twice a second how much memory is in use."""

    def __init__(self) -> None:
        super().__init__(name="memory", every_s=_SECONDS_BETWEEN)
        self._times: list[float] = []
        self._bytes: list[int] = []
        self._process = psutil.Process()

    def look(self) -> None:
        """Notes the time and the bytes in use."""
        self._times.append(time.time())
        self._bytes.append(_in_use(self._process))

    def between(self, start: float, end: float) -> float | None:
        """Returns the peak between two times; None if nothing was measured.

        If no measurement is between the two times, the last one before them counts.

        Args:
            start: seconds since 1970.
            end: seconds since 1970.

        Returns:
            The peak in MB of 10^6 bytes.
        """
        first = bisect.bisect_left(self._times, start)
        last = bisect.bisect_right(self._times, end)
        seen = self._bytes[first:last] or self._bytes[max(first - 1, 0) : first]
        return round(max(seen) / 1e6, 1) if seen else None


def _in_use(process: psutil.Process) -> int:
    """Returns the resident bytes of a process and all its children.

    Pages that its children share with each other count once.
    """
    total = process.memory_info().rss
    for one in process.children(recursive=True):
        # A process may end while it is measured.
        with contextlib.suppress(psutil.Error):
            total += one.memory_full_info().pss
    return total
