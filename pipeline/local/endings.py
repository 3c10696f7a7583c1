"""How a run or a search on this machine ends, as the terminal shows it."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator

from pipeline.local import interrupts, space, terminal


class RunFailed(Exception):
    """A node failed. Nothing was pushed; the same command runs again from there."""


@contextlib.contextmanager
def shown(
    display: terminal.RunDisplay, log: pathlib.Path, out: pathlib.Path, *, stopped: str
) -> Iterator[None]:
    """Marks the running node and says why, if what is done in it does not end well.

    Args:
        display: of the run.
        log: the file that has the traceback.
        out: the folder of the run.
        stopped: what is said after Ctrl-C, such as how to continue.

    Raises:
        RunFailed: something was raised; it is shown.
        KeyboardInterrupt: Ctrl-C, as it came.
    """
    console = display.console
    try:
        yield
    except KeyboardInterrupt:
        console.quiet = False
        display.failed("stopped")
        console.print(stopped, style="yellow")
        raise
    except Exception as error:
        console.quiet = False
        display.failed()
        told = space.explained(error, out) or error
        terminal.print_failure(console, told, log)
        logging.exception("The run failed.")
        raise RunFailed(terminal.explain(told)[0]) from error


@contextlib.contextmanager
def nodes(display: terminal.RunDisplay) -> Iterator[None]:
    """Shows the nodes that run in it; an interruption is never lost on the way."""
    with interrupts.never_lost(), display.following():
        yield
