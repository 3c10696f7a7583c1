"""Messages of commands to people, on standard error."""

import pathlib
import shlex
from typing import NoReturn

import typer

from pipeline.text import printable

REFUSED = 2  # The exit status of a refusal.


def say(message: str, colour: str = "red") -> None:
    """Prints a message, in colour where NO_COLOR and the terminal allow it."""
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    text = printable(message, lines=True)
    console.print(text, style=colour, markup=False, soft_wrap=True)


def next_run(config: pathlib.Path) -> str:
    """Returns what a command says that wrote a configuration: how to use it."""
    command = shlex.join(["ncf", "run", "--config", str(config)])
    return f"Wrote {config}. Next: {command}"


def refuse(error: Exception) -> NoReturn:
    """Ends the command with the message of `error` and no traceback."""
    say(str(error))
    raise typer.Exit(REFUSED) from None
