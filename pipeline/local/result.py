"""The result of a run in words and as a table, for the terminal."""

import pathlib
import shlex
import shutil
import sys
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from components.report import standing, wording
from ncf_model.evaluation.result import Quality
from pipeline.local.text import printable

_HEADLINE = ("hit_rate@10", "ndcg@10", "mrr")


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints the result of a run.

    Data, what was left out, quality beside the baselines with the best marked, which
    method is best and what to do about it, verdict.
    """
    console.print(_title(summary), style="bold", markup=False)
    for sentence in left_out(summary.get("data", {})):
        console.print(sentence, markup=False)
    console.print(_table(summary))
    for sentence in standing.sentences(quality_of(summary)):
        console.print(sentence, markup=False)
    print_verdict(console, summary)


def print_verdict(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints whether the model was blessed, and where it is or why it is not."""
    if (why := summary.get("not_pushed_because")) is not None:
        said = f"Blessed, but not pushed: {printable(why)}"
        console.print(said, style="yellow", markup=False)
    elif summary["blessed"]:
        found = standing.find(quality_of(summary))
        beaten = found is not None and found.is_beaten
        console.print(
            f"Blessed, pushed to {summary['pushed_to']}",
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
        for reason in summary["not_blessed_because"]:
            console.print(f"  {printable(reason)}", markup=False)


def print_next(console: Console, summary: Mapping[str, Any], out: pathlib.Path) -> None:
    """Prints where the report is and, of a pushed model, how to ask it."""
    lines = [f"Report: {out / 'report' / 'index.html'}"]
    if summary.get("pushed_to") and (users := summary.get("users")):
        program = "ncf" if shutil.which("ncf") else sys.argv[0]
        asked = ["recommend", "--user", users[0]["user_id"], "--out", str(out)]
        lines.append(f"Ask it: {shlex.join([program, *asked])}")
    for line in lines:
        console.print(printable(line), markup=False, soft_wrap=True)


def left_out(data: Mapping[str, Any]) -> list[str]:
    """Returns what became of the rows, in words; nothing if all of them count.

    Args:
        data: counts, as `summary["data"]` or reading.json have them.
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
    if data.get("has_timestamps", 1) == 0:
        sentences.append("The data has no time: the order of its rows stands for it.")
    return sentences


def quality_of(summary: Mapping[str, Any]) -> Quality:
    """Returns the figures of a summary, typed."""
    known = {name: summary[name] for name in Quality.model_fields if name in summary}
    return Quality.model_validate(known)


def _table(summary: Mapping[str, Any]) -> Table:
    methods = {wording.MODEL: summary["metrics"]} | {
        wording.method(name): figures for name, figures in summary["baselines"].items()
    }
    errors = summary.get("standard_errors", {})
    table = Table("metric", title=summary.get("candidates") or None)
    for name in methods:
        table.add_column(name, justify="right")
    for metric in sorted(summary["metrics"], key=_place):
        values = [figures.get(metric) for figures in methods.values()]
        best = max((v for v in values if v is not None), default=None)
        model, *others = (_cell(value, best) for value in values)
        if errors.get(metric) is not None:
            model = f"[dim]±{errors[metric]:.4f}[/] {model}"
        table.add_row(wording.metric(metric), model, *others)
    table.caption = "* the best of the row, ± one standard error"
    return table


def _place(metric: str) -> int:
    """Returns by what metrics are sorted: those that one looks at first come first."""
    return _HEADLINE.index(metric) if metric in _HEADLINE else len(_HEADLINE)


def _cell(value: float | None, best: float | None) -> str:
    if value is None:
        return "none "
    return f"[bold]{value:.4f}*[/]" if value == best else f"{value:.4f} "


def _share(count: int, of: int) -> str:
    return (
        f"{count:,} ({count / of:.0%})" if of and count / of >= 0.005 else f"{count:,}"
    )


def _title(summary: Mapping[str, Any]) -> str:
    return printable(
        f"{summary['dataset']}: {summary['num_users']:,} users, "
        f"{summary['num_items']:,} items, {summary['num_interactions']:,} interactions"
    )
