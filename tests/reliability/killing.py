"""Kills a process before each of its changes of the disk, in a series of attempts."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

# The events that Python reports to audit hooks before it changes a disk. The event
# `open` counts if the file is opened for writing. Code in C++ (SQLite, TensorFlow)
# reports no events; for its calls there is `Countdown.counted`.
_CHANGES = frozenset(
    {
        *("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.link", "os.symlink"),
        *("os.truncate", "os.chmod", "os.utime", "shutil.copyfile", "shutil.rmtree"),
    }
)
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Countdown:
    """Kills this process, as a power cut would, before its n-th change."""

    def __init__(self, changes: int, below: str) -> None:
        self._left = changes
        self._below = below

    def step(self) -> None:
        self._left -= 1
        if self._left < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def heard(self, event: str, args: tuple) -> None:
        """Counts an event that is a change below the folder; this is an audit hook."""
        if event == "open":
            path, _, flags = args
            changes = isinstance(flags, int) and flags & _WRITES
        else:
            path, changes = (args[0] if args else ""), event in _CHANGES
        named = isinstance(path, str | bytes | os.PathLike)
        if changes and named and os.fsdecode(path).startswith(self._below):
            self.step()

    def counted(self, function: Callable) -> Callable:
        """Returns `function`, with every call counted as a change."""

        def call(*args, **named):
            self.step()
            return function(*args, **named)

        return call


def after_changes(
    changes: int, action: Callable[[Countdown], object], *, below: str
) -> bool:
    """Runs `action` in a process that dies before one of its changes of the disk.

    Args:
        changes: how many changes the process makes before it dies.
        action: a function that is called with the countdown, so that it can count
            calls of which Python reports no events.
        below: a folder; changes elsewhere do not count.

    Returns:
        Whether the process died. If not, `action` has ended without an error.
    """
    child = os.fork()
    if child == 0:
        status = 3
        try:
            countdown = Countdown(changes, below)
            sys.addaudithook(countdown.heard)
            action(countdown)
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


def at_every_change(
    action: Callable[[Countdown], object], *, below: str, most: int = 1000
) -> Iterator[int]:
    """Yields, after each kill, how many changes were made before it.

    The last process is not killed and completes `action`; nothing is yielded for it.
    """
    for changes in range(most):
        if not after_changes(changes, action, below=below):
            return
        yield changes
    raise AssertionError(f"more than {most} changes")
