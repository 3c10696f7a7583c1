"""Writes the lines of the access log in a thread.

Writing may block, as on a pipe that nobody reads, or fail, as on a full disk. Answers
do not wait for that: lines wait instead, and if too many wait, lines are lost.
"""

import logging
import os
import queue
import threading
import time
from collections.abc import Callable

_WAITING = 10_000
_AT_ONCE = 256
# Seconds for which lines are collected before one write. A thread that woke for each
# line would delay the answers.
_TOGETHER_S = 0.02


class AccessLogHandler(logging.Handler):
    """Writes log records to a file descriptor, one per line."""

    def __init__(
        self,
        descriptor: int,
        *,
        lost: Callable[[], None] = lambda: None,
        waiting: int = _WAITING,
    ) -> None:
        """Starts the thread.

        Args:
            descriptor: a file descriptor that is open for writing, and is not closed.
            lost: called for each line that is lost.
            waiting: how many lines may wait, >= 1.
        """
        super().__init__()
        self._descriptor, self._lost = descriptor, lost
        # A `SimpleQueue` is much cheaper to fill than a `Queue` but has no bound.
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self._waiting = waiting
        # A daemon thread, because a write that never ends must not keep the process
        # alive.
        self._thread = threading.Thread(
            target=self._write_all, name="access-log", daemon=True
        )
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Queues a record, without waiting."""
        if self._lines.qsize() >= self._waiting:
            self._lost()
        else:
            self._lines.put(self.format(record))

    def finish(self, timeout_s: float) -> bool:
        """Waits at most `timeout_s` for the queue; returns whether all is written."""
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
            except OSError:  # The reader has gone, or the disk is full.
                for _ in range(text.count("\n")):
                    self._lost()

    def _write(self, content: bytes) -> None:
        while content:
            content = content[os.write(self._descriptor, content) :]
