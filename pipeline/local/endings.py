"""Shows in the terminal how a run or a search ends."""

import contextlib
import logging
import pathlib
from collections.abc import Iterator

from pipeline import interrupts
from pipeline.local import space, terminal


class RunFailed(Exception):
    """A node failed. Nothing was pushed; the same command continues from there."""


@contextlib.contextmanager
def shown(
    display: terminal.RunDisplay, log: pathlib.Path, out: pathlib.Path, *, stopped: str
) -> Iterator[None]:
    """Shows the error if the block fails, and marks the running node as failed.

    Args:
        display: of the run.
        log: the log file, which has the traceback.
        out: the folder of the run.
        stopped: the message after Ctrl-C, which says how to continue.

    Raises:
        RunFailed: the block raised an error, which was shown.
        KeyboardInterrupt: Ctrl-C was pressed.
    """
    console = display.console
    try:
        with interrupts.never_lost():
            yield
    except BaseException as error:
        console.quiet = False
        if isinstance(error, KeyboardInterrupt) or interrupts.was_pressed():
            display.failed("stopped")
            console.print(stopped, style="yellow")
            raise KeyboardInterrupt from error
        if not isinstance(error, Exception):
            raise
        display.failed()
        told = space.explained(error, out) or error
        terminal.print_failure(console, told, log)
        logging.exception("The run failed.")
        raise RunFailed(terminal.explain(told)[0]) from error
