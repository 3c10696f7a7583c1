"""Shows a run in the terminal, with a line per node.

TensorFlow, Beam and TFX write to the process's standard output and error. During a run
both go to a log file, by way of the file descriptors 1 and 2, so that only this module
writes to the terminal.
"""

import contextlib
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress_bar import ProgressBar

from pipeline.nodes import ids
from pipeline.text import printable

if TYPE_CHECKING:
    from pipeline.local.executions import NodeRun

_BEAM = " [while running"


# What nodes do that take a while and cannot tell how far they are.
_DOING = {
    ids.STATISTICS: "counts values of every feature",
    ids.TRANSFORM: "numbers users and items",
    ids.EXPORT_CHECK: "asks the exported model in its own process",
    ids.EVALUATOR: "ranks the lists, applies the gate's rules",
    ids.TRAINER: "reads the rows and the lists",
    ids.REPORT: "draws the report",
}
# Nodes that take about so many times as long as another node before them, as measured
# from 100,000 to 20 million interactions: in a first run nothing else is known.
_LIKE = {ids.TRANSFORM: (ids.STATISTICS, 3.0), ids.EVALUATOR: (ids.SAMPLING, 2.0)}
# A bar that estimates by seconds stops here until the node ends.
_ALMOST, _FULL = 0.95, 0.9999


class RunConsole(Console):
    """A console that may be closed without ending the run: `ncf run | head -3`."""

    def on_broken_pipe(self) -> None:
        """Shows nothing from now on."""
        self.quiet = True


@contextlib.contextmanager
def output_to_file(log: pathlib.Path, *, to_errors: bool = False) -> Iterator[Console]:
    """Sends everything that the process prints to `log`; yields a console.

    Args:
        log: the file, to which output is appended.
        to_errors: whether the console is standard error, not standard output.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    shown_on = os.dup(2 if to_errors else 1)
    # A character that the terminal cannot show must not end the run.
    shown = os.fdopen(shown_on, "w", errors="replace")
    with open(log, "ab") as target, shown as terminal:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
        try:
            yield RunConsole(file=terminal, highlight=False)
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in enumerate(kept, start=1):
                os.dup2(copy, number)
                os.close(copy)


class _Bar(BarColumn):
    """A bar of a node's progress, reported or estimated by `expected` seconds."""

    def render(self, task: Task) -> ProgressBar:
        expected = task.fields.get("expected")
        if task.total is not None or not expected or task.elapsed is None:
            return super().render(task)
        done = min(task.elapsed / expected, _ALMOST)
        return ProgressBar(total=1.0, completed=done, width=self.bar_width)


class RunDisplay:
    """Shows each node of a run while it runs; see `node_events.Observer`.

    The display decides nothing. Nodes that it was not told of are shown at the end, by
    `complete`, from the records in ML Metadata.

    Attributes:
        console: the console of the terminal.
        shown: the finished nodes that were shown, in order.
        current: the running node; None if there is none.
        earlier: node id -> seconds in an earlier run.
    """

    def __init__(self, console: Console) -> None:
        self.shown: list[str] = []
        self.current: str | None = None
        self.earlier: Mapping[str, float] = {}
        self.console = console
        self._started = 0.0
        # The fraction of the node that is done, the phase of its training, and the
        # fraction that was done when that phase began.
        self._done, self._phase, self._begin = 0.0, "", 0.0
        self._took: dict[str, float] = {}
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            _Bar(bar_width=24),
            TextColumn("{task.fields[detail]}"),
            TimeElapsedColumn(),
            console=console,
            transient=True,
            # rich would redirect output to the terminal, but log lines and tracebacks
            # of nodes belong to the log file.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    @contextlib.contextmanager
    def following(self) -> Iterator["RunDisplay"]:
        """Shows the progress until the block ends."""
        with self._progress:
            yield self

    def started(self, node: str) -> None:
        """Shows that a node runs, and how long it took the last time.

        In a first run it shows what the node does, if that takes a while, and how long
        it will take, if that can be told by an earlier node.
        """
        self.current = node
        self._started = time.monotonic()
        self._done, self._phase = 0.0, ""
        seconds = self.earlier.get(node)
        detail = _DOING.get(node, "")
        if seconds is not None:
            detail = f"took {seconds:.0f} s the last time"
        elif (seconds := self._estimate(node)) is not None:
            detail = f"about {seconds:.0f} s: {detail}"
        self._progress.add_task(node, total=None, detail=detail, expected=seconds)

    def finished(self, *, cached: bool) -> None:
        """Marks the running node as finished."""
        if self.current:
            if not cached:
                self._took[self.current] = time.monotonic() - self._started
            self._end("[green]✓[/]", "cached" if cached else "")

    def _estimate(self, node: str) -> float | None:
        """Returns the seconds that a node takes, told by another; None if untold.

        Of less than a second nothing is told.
        """
        like, times = _LIKE.get(node, ("", 0.0))
        seconds = self._took.get(like, self.earlier.get(like))
        if seconds is None or seconds * times < 1:
            return None
        return seconds * times

    @contextlib.contextmanager
    def progress_within_nodes(self) -> Iterator[None]:
        """Shows the progress that nodes in this process report."""
        from ncf_model import progress
        from ncf_model.training import progress as training
        from ncf_model.tuning import progress as tuning

        with contextlib.ExitStack() as shown:
            for told, show in (
                (progress, self.step),
                (training, self.training),
                (tuning, self.tuning),
            ):
                observers: list[Callable[[Any], None]] = told.observers
                observers.append(show)
                shown.callback(observers.remove, show)
            yield

    def training(self, event: Any) -> None:
        """Moves the bar; `event` is a `training.progress.TrainingProgress`.

        Each phase has a share of the bar, from where the phase before has come to.
        """
        from ncf_model import progress

        if event.phase != self._phase:
            self._phase, self._begin = event.phase, self._done
        done = (event.epoch - 1 + event.fraction) / event.epochs
        share = max(progress.ENDS[event.phase] - self._begin, 0.0)
        self._move(self._begin + share * done, _training_detail(event))

    def step(self, event: Any) -> None:
        """Moves the bar; `event` is an `ncf_model.progress.StepProgress`."""
        self._move(event.fraction, event.doing)

    def tuning(self, event: Any) -> None:
        """Moves the bar; `event` is a `tuning.progress.SearchProgress`."""
        best = (
            "" if event.best is None else f"  best {event.objective} {event.best:.4f}"
        )
        detail = f"{event.done} of {event.trials} trials{best}"
        self._move(event.done / event.trials, detail)

    def _move(self, fraction: float, detail: str) -> None:
        # A full bar would stop the clock, although the node has not ended.
        self._done = max(self._done, min(fraction, _FULL))
        for task in self._progress.task_ids:
            self._progress.update(task, total=1.0, completed=self._done, detail=detail)

    def failed(self, note: str = "failed") -> None:
        """Marks the running node as failed."""
        if self.current:
            self._end("[red]✗[/]", note)

    def complete(self, runs: Sequence["NodeRun"]) -> None:
        """Shows the finished nodes that have not been shown yet."""
        for run in runs:
            if run.node not in self.shown:
                note = "cached" if run.cached else ""
                self._line("[green]✓[/]", run.node, run.seconds, note)

    @contextlib.contextmanager
    def waiting(self, what: str) -> Iterator[None]:
        """Shows what is going on when no node is running."""
        task = self._progress.add_task(what, total=None, detail="")
        try:
            yield
        finally:
            self._progress.remove_task(task)

    def _end(self, mark: str, note: str) -> None:
        for task in self._progress.task_ids:
            self._progress.remove_task(task)
        self._line(mark, self.current or "", time.monotonic() - self._started, note)
        self.current = None

    def _line(self, mark: str, node: str, seconds: float, note: str) -> None:
        self.shown.append(node)
        self.console.print(f"{mark} {node:<26}{seconds:8.1f} s  [dim]{note}[/]")


def _training_detail(event: Any) -> str:
    parts = [f"{event.phase} epoch {event.epoch}/{event.epochs}"]
    if event.examples_per_second:
        parts.append(f"{event.examples_per_second / 1e6:.2f} M examples/s")
    if event.hit_rate is not None:
        parts.append(f"HR@10 {event.hit_rate:.4f}")
    return "  ".join(parts)


def print_failure(console: Console, error: BaseException, log: pathlib.Path) -> None:
    """Prints an error, with brackets unchanged, and the path of the log."""
    # Only the terminal wraps lines here, so a path can be copied in one piece.
    for line in explain(error):
        console.print(line, style="red", markup=False, soft_wrap=True)
    console.print(f"The full log: {log}", markup=False, soft_wrap=True)


def explain(error: BaseException) -> list[str]:
    """Returns the lines that explain an error.

    The first line is the first message in the chain of errors that Beam did not add,
    because Beam only adds the name of its step. The second line is the deepest cause.
    """
    chain = [error]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    ours = next((e for e in chain if _BEAM not in str(e)), chain[-1])
    said = [_message(ours)]
    if (deepest := _message(chain[-1])) not in said[0]:
        said.append(f"  Because of: {deepest}")
    return [printable(line, lines=True) for line in said]


def _message(error: BaseException) -> str:
    return str(error).partition(_BEAM)[0] or type(error).__name__
