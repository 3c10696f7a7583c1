"""What a person at the terminal sees of a run: a line per node, then the result.

TensorFlow, Beam and TFX write to the process's standard output and error; during a run
both go to a log file, below Python (file descriptors 1 and 2), and this module keeps
the terminal to itself.
"""

import contextlib
import logging
import os
import pathlib
import re
import sys
import time
from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table

_STARTED = re.compile(r"Component (\S+) is running\.")
_FINISHED = re.compile(r"Component (\S+) is finished\.")
_CACHED = re.compile(r"A cached execution \d+ is used\.")


@contextlib.contextmanager
def output_to_file(log: pathlib.Path) -> Iterator[Console]:
    """Sends everything the process prints to `log`; yields the terminal's console."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    with open(log, "ab") as target, os.fdopen(os.dup(1), "w") as terminal:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
        try:
            yield Console(file=terminal, highlight=False)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)


class RunDisplay(logging.Handler):
    """Follows a run through TFX's own log lines; shows and times each node.

    Attributes:
        seconds: wall-clock seconds of each finished node, in order of running.
        current: the running node, or None.
        cached: nodes whose earlier result was used again.
    """

    def __init__(self, console: Console) -> None:
        super().__init__(level=logging.INFO)
        self.seconds: dict[str, float] = {}
        self.current: str | None = None
        self.cached: set[str] = set()
        self._console = console
        self._started = 0.0
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # rich would send what nodes print, log lines and tracebacks to the
            # terminal: during a run both belong to the log file.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextlib.contextmanager
    def following(self, logger: logging.Logger) -> Iterator["RunDisplay"]:
        """Shows what `logger` tells of nodes, until the block ends."""
        logger.addHandler(self)
        try:
            with self._progress:
                yield self
        finally:
            logger.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if match := _STARTED.fullmatch(message):
            self._start(match[1])
        elif _CACHED.fullmatch(message) and self.current:
            self.cached.add(self.current)
        elif _FINISHED.fullmatch(message) and self.current:
            self.seconds[self.current] = time.monotonic() - self._started
            note = "cached" if self.current in self.cached else ""
            self._end("[green]✓[/]", note)

    def training(self, event: Any) -> None:
        """Moves the bar; `event` is an `ncf_model.training.progress.Event`."""
        for task in self._progress.task_ids:
            self._progress.update(
                task,
                total=event.epochs,
                completed=event.epoch - 1 + event.fraction,
                detail=_training_detail(event),
            )

    def failed(self) -> None:
        """Marks the running node as failed."""
        if self.current:
            self._end("[red]✗[/]", "failed")

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Shows that something other than a node is going on."""
        task = self._progress.add_task(what, total=None, detail="")
        yield
        self._progress.remove_task(task)

    def _start(self, node: str) -> None:
        self.current = node
        self._started = time.monotonic()
        self._progress.add_task(node, total=None, detail="")

    def _end(self, mark: str, note: str) -> None:
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        seconds = time.monotonic() - self._started
        self._console.print(
            f"{mark} {self.current:<26}{seconds:8.1f} s  [dim]{note}[/]"
        )
        self.current = None


def _training_detail(event: Any) -> str:
    parts = [f"{event.phase} epoch {event.epoch}/{event.epochs}"]
    if event.examples_per_second:
        parts.append(f"{event.examples_per_second / 1e6:.2f} M examples/s")
    if event.hit_rate is not None:
        parts.append(f"HR@10 {event.hit_rate:.4f}")
    return "  ".join(parts)


def print_failure(console: Console, error: BaseException, log: pathlib.Path) -> None:
    """Prints what went wrong, brackets and all, and where the log is."""
    # The terminal breaks the lines, so that a path can be copied in one piece.
    console.print(root_cause(error), style="red", markup=False, soft_wrap=True)
    console.print(f"The full log: {log}", markup=False, soft_wrap=True)


def root_cause(error: BaseException) -> str:
    """Returns the message of what went wrong first, without Beam's additions."""
    while error.__cause__ is not None:
        error = error.__cause__
    return str(error).partition(" [while running")[0] or type(error).__name__


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints the result of a run: quality, baseline, verdict, where it was pushed."""
    console.print(_title(summary), style="bold", markup=False)
    table = Table("metric")
    for name in ("NeuMF", *summary["baselines"]):
        table.add_column(name.replace("_", "-"), justify="right")
    for name, value in summary["metrics"].items():
        baselines = [metrics.get(name) for metrics in summary["baselines"].values()]
        table.add_row(
            name,
            "not a number" if value is None else f"{value:.4f}",
            *("" if figure is None else f"{figure:.4f}" for figure in baselines),
        )
    console.print(table)
    if (reason := summary.get("not_pushed_because")) is not None:
        console.print(
            f"Blessed, but not pushed: {reason}", style="yellow", markup=False
        )
    elif summary["blessed"]:
        console.print(
            f"Blessed, pushed to {summary['pushed_to']}",
            style="green",
            markup=False,
            soft_wrap=True,
        )
    else:
        console.print("Not blessed, nothing pushed:", style="yellow")
        for reason in summary["not_blessed_because"]:
            console.print(f"  {reason}", markup=False)


def _title(summary: Mapping[str, Any]) -> str:
    return (
        f"{summary['dataset']}: {summary['num_users']:,} users, "
        f"{summary['num_items']:,} items, {summary['num_interactions']:,} interactions"
    )
