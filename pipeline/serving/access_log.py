"""The access log's lines, written by a thread of their own.

Who reads them may stand still, such as a pipe that nobody empties or a full disk. No
answer waits for that: lines wait instead, and beyond a number of them are lost.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable

_WAITING = 10_000
_AT_ONCE = 256
# Lines wait so long for others: a thread that wakes for each has answers wait for it.
_TOGETHER_S = 0.02


class AccessLogHandler(logging.Handler):
    """Writes records to a file descriptor, a line each."""

    def __init__(
        self,
        descriptor: int,
        *,
        lost: Callable[[], None] = lambda: None,
        waiting: int = _WAITING,
    ) -> None:
        """Begins to write.

        Args:
            descriptor: open for writing; it stays open.
            lost: called for each line for which there was no room.
            waiting: how many lines there is room for, >= 1.
        """
        super().__init__()
        self._descriptor, self._lost = descriptor, lost
        # Much cheaper to fill than a `Queue`, and without a bound of its own.
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting = waiting
        # A daemon: a write that never ends must not keep the process from ending.
        self._thread = threading.Thread(
            target=self._write_all, name="access-log", daemon=True
        )
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Takes a record, at once."""
        if self._lines.qsize() >= self._waiting:
            self._lost()
        else:
            self._lines.put(self.format(record))

    def finish(self, timeout_s: float) -> bool:
        """Returns whether all that was taken is written; waits `timeout_s` at most."""
        self._lines.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _write_all(self) -> None:
        more = True
        while more:
            lines = [self._lines.get()]
            time.sleep(_TOGETHER_S)
            while len(lines) < _AT_ONCE and not self._lines.empty():
                lines.append(self._lines.get())
            if None in lines:
                more = False
            text = "".join(f"{line}\n" for line in lines if line is not None)
            try:
                self._write(text.encode(errors="replace"))
            except OSError:  # The reader is gone, or the disk is full.
                for _ in range(text.count("\n")):
                    self._lost()

    def _write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._descriptor, content) :]
