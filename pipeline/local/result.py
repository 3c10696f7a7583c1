"""The result of a run in words and as a table, for the terminal."""

import pathlib
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from components.report import standing, wording
from components.report.document import Summary
from pipeline import tables
from pipeline.text import counted, printable

_FIGURE = 7  # Characters of a figure such as `0.6554*`.
_ERROR = ", ± one standard error"
_HEADLINE = ("hit_rate@10", "ndcg@10", "mrr")


def print_summary(console: Console, summary: Summary) -> None:
    """Prints the result of a run.

    It prints the size of the data, what was left out, a table of the model's and the
    baselines' metrics, which method is best and what to do if it is a baseline, and
    whether the model was blessed.
    """
    console.print(_title(summary), style="bold", markup=False)
    for sentence in left_out(summary.data | summary.lists):
        console.print(sentence, markup=False)
    console.print(_table(summary, console.width))
    for sentence in standing.sentences(summary, of_pairs=summary.of_pairs):
        console.print(sentence, markup=False)
    print_verdict(console, summary)


def print_verdict(console: Console, summary: Summary) -> None:
    """Prints whether the model was blessed, and where it is pushed or why not."""
    if summary.not_pushed_because is not None:
        said = f"Blessed, but not pushed: {printable(summary.not_pushed_because)}"
        console.print(said, style="yellow", markup=False)
    elif summary.blessed:
        found = standing.find(summary)
        beaten = found is not None and found.is_beaten
        console.print(
            f"Blessed, pushed to {summary.pushed_to}",
            style="yellow" if beaten else "green",
            markup=False,
            soft_wrap=True,
        )
        if found is not None and beaten:
            console.print(
                f"Note that {found.rival} is clearly better: the gate asks for no more "
                "than its rules (`evaluation.gate.baseline`).",
                style="yellow",
                markup=False,
            )
    else:
        console.print("Not blessed, nothing pushed:", style="yellow")
        for reason in summary.not_blessed_because:
            console.print(f"  {printable(reason)}", markup=False)
    for sentence in summary.not_compared:
        console.print(printable(sentence), style="yellow", markup=False)


def print_next(console: Console, summary: Summary, out: pathlib.Path) -> None:
    """Prints where the report is and, if a model was pushed, how to ask it."""
    lines = [f"Report: {out / 'report' / 'index.html'}"]
    if summary.pushed_to and summary.users:
        program = "ncf" if shutil.which("ncf") else sys.argv[0]
        asked = ["recommend", "--user", summary.users[0].user_id, "--out", str(out)]
        lines.append(f"Ask it: {shlex.join([program, *asked])}")
    for line in lines:
        console.print(printable(line), markup=False, soft_wrap=True)


def left_out(data: Mapping[str, Any]) -> list[str]:
    """Returns in words which rows and users do not count; [] if all count.

    Args:
        data: counts, as `summary.data` and `summary.lists` have them.
    """
    rows = data.get("rows_read", 0)
    said = []
    if count := data.get("rows_skipped", 0):
        said.append(f"{_share(count, rows)} could not be read and are left out")
    if count := data.get("rows_below_min_rating", 0):
        said.append(f"{_share(count, rows)} are below `data.min_rating`")
    if count := data.get("duplicates_dropped", 0):
        said.append(f"{_share(count, rows)} repeat a user and an item and count once")
    sentences = [f"Of {rows:,} rows {', '.join(said)}."] if said else []
    if count := data.get("users_dropped_by_filter", 0):
        sentences.append(
            f"{count:,} users are outside `data.min_interactions` and "
            "`data.max_interactions` and left out."
        )
    if count := data.get("users_without_eval", 0):
        aside = data.get("users_not_sampled", 0)
        of = data.get("num_users", 0) - aside
        users = "sampled users" if aside else "users"
        sentences.append(
            f"Of {of:,} {users} {_share(count, of)} have no item to evaluate them on."
        )
    if data.get("has_timestamps", 1) == 0:
        sentences.append("The data has no time: the order of its rows stands for it.")
    return sentences


def _table(summary: Summary, width: int) -> Table:
    """Returns the metrics of all methods, in a narrow terminal without errors."""
    narrow = width < tables.WIDE
    methods = {wording.MODEL: summary.metrics} | {
        wording.method(name): figures for name, figures in summary.baselines.items()
    }
    errors = summary.standard_errors
    table = tables.fitting(width, box.HEAVY_HEAD)
    table.title = summary.candidates or None
    table.add_column("metric")
    for name in methods:
        table.add_column(name, justify="right", overflow="fold", min_width=_FIGURE)
    for metric in sorted(summary.metrics, key=_place):
        values = [figures.get(metric) for figures in methods.values()]
        best = max((v for v in values if v is not None), default=None)
        model, *others = (_cell(value, best) for value in values)
        if errors.get(metric) is not None and not narrow:
            model = f"[dim]±{errors[metric]:.4f}[/] {model}"
        table.add_row(wording.metric(metric), model, *others)
    table.caption = "* the best of the row" + ("" if narrow else _ERROR)
    return table


def _place(metric: str) -> int:
    """Returns the sort key of a metric: the most important ones come first."""
    return _HEADLINE.index(metric) if metric in _HEADLINE else len(_HEADLINE)


def _cell(value: float | None, best: float | None) -> str:
    if value is None:
        return "none "
    return f"[bold]{value:.4f}*[/]" if value == best else f"{value:.4f} "


def _share(count: int, of: int) -> str:
    return (
        f"{count:,} ({count / of:.0%})" if of and count / of >= 0.005 else f"{count:,}"
    )


def _title(summary: Summary) -> str:
    return printable(
        f"{summary.dataset}: {counted(summary.num_users, 'user')}, "
        f"{counted(summary.num_items, 'item')}, "
        f"{counted(summary.num_interactions, 'interaction')}"
    )
