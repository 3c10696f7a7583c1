"""Kills a process at each of its changes on the disk, one after the other."""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

# What Python tells its audit hooks before it changes a disk. `open` counts if it may
# write. C++ (SQLite, TensorFlow) tells nothing; see `counted`.
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
        """Is an audit hook."""
        if event == "open":
            path, _, flags = args
            changes = isinstance(flags, int) and flags & _WRITES
        else:
            path, changes = (args[0] if args else ""), event in _CHANGES
        named = isinstance(path, str | bytes | os.PathLike)
        if changes and named and os.fsdecode(path).startswith(self._below):
            self.step()

    def counted(self, function: Callable) -> Callable:
        """Returns `function`, each call of which is a change."""

        def call(*args, **named):
            self.step()
            return function(*args, **named)

        return call


def after_changes(
    changes: int, action: Callable[[Countdown], object], *, below: str
) -> bool:
    """Runs `action` in a process that dies before one of its changes.

    Args:
        changes: that it makes before; 0 kills it before the first.
        action: given what counts, for changes that Python does not tell of.
        below: a folder; changes elsewhere do not count.

    Returns:
        Whether it died; it has done all of it otherwise.
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
    """Yields after each kill how many changes had been made; ends with a whole run."""
    for changes in range(most):
        if not after_changes(changes, action, below=below):
            return
        yield changes
    raise AssertionError(f"more than {most} changes")
