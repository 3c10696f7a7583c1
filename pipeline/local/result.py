"""The result of a run in words and as a table, for the terminal."""

import math
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from pipeline.local.text import printable

MODEL = "NeuMF"
DECIDES = "hit_rate@10"  # the metric by which methods are compared in words
CLEAR = 2.0  # standard errors from which a difference is more than chance


def print_summary(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints the result of a run.

    Data, what was left out, quality beside the baselines with the best marked, which
    method is best and what to do about it, verdict.
    """
    console.print(_title(summary), style="bold", markup=False)
    for sentence in left_out(summary.get("data", {})):
        console.print(sentence, markup=False)
    console.print(_table(summary))
    for sentence in comparison(summary):
        console.print(sentence, markup=False)
    print_verdict(console, summary)


def print_verdict(console: Console, summary: Mapping[str, Any]) -> None:
    """Prints whether the model was blessed, and where it is or why it is not."""
    if (why := summary.get("not_pushed_because")) is not None:
        said = f"Blessed, but not pushed: {printable(why)}"
        console.print(said, style="yellow", markup=False)
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
            console.print(f"  {printable(reason)}", markup=False)


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


def comparison(summary: Mapping[str, Any]) -> list[str]:
    """Returns which method is best on these lists, by how much, and what to do."""
    methods = {MODEL: summary["metrics"]} | dict(summary["baselines"])
    known = {
        name: figures[DECIDES]
        for name, figures in methods.items()
        if figures.get(DECIDES) is not None
    }
    if MODEL not in known or len(known) < 2:
        return []
    others = {name: value for name, value in known.items() if name != MODEL}
    rival = max(others, key=others.__getitem__)
    difference = known[MODEL] - known[rival]
    errors = _errors_apart(summary, rival, difference)
    apart = "" if errors is None else f" ({errors:.1f} standard errors)"
    if difference > 0 and (errors is None or errors >= CLEAR):
        return [
            f"{MODEL} is the best of these by {_shown(DECIDES)}: {difference:.4f} "
            f"above {_shown(rival)}{apart}."
        ]
    if errors is not None and errors < CLEAR:
        return [
            f"{MODEL} and {_shown(rival)} cannot be told apart by {_shown(DECIDES)}: "
            f"{difference:+.4f}{apart}."
        ]
    return [
        f"{_shown(rival)} is better than {MODEL} by {_shown(DECIDES)}: "
        f"{-difference:.4f}{apart}.",
        "Try more factors (`--set model.mf_dim=32 --set 'model.layers=[128, 64, 32]'`) "
        f"or more epochs; where nothing helps, {_shown(rival)} is what to ship.",
    ]


def _errors_apart(
    summary: Mapping[str, Any], rival: str, difference: float
) -> float | None:
    """Returns how many standard errors apart; None if the errors are not known.

    As if the two were independent. They are judged on the same lists, so the true
    number is mostly larger.
    """
    own = summary.get("standard_errors", {}).get(DECIDES)
    other = summary.get("baseline_standard_errors", {}).get(rival, {}).get(DECIDES)
    if own is None or other is None or not (total := math.hypot(own, other)):
        return None
    return abs(difference) / total


def _table(summary: Mapping[str, Any]) -> Table:
    table = Table("metric")
    methods = {MODEL: summary["metrics"]} | dict(summary["baselines"])
    for name in methods:
        table.add_column(_shown(name), justify="right")
    for metric in summary["metrics"]:
        values = [figures.get(metric) for figures in methods.values()]
        best = max((v for v in values if v is not None), default=None)
        table.add_row(metric, *(_cell(value, best) for value in values))
    table.caption = "* the best of the row"
    return table


def _cell(value: float | None, best: float | None) -> str:
    if value is None:
        return "none "
    return f"[bold]{value:.4f}*[/]" if value == best else f"{value:.4f} "


def _shown(name: str) -> str:
    """Returns how a method or metric is called in text."""
    short = {"hit_rate": "HR", "ndcg": "NDCG"}
    metric, at, k = name.partition("@")
    return f"{short.get(metric, metric)}@{k}" if at else name.replace("_", "-")


def _share(count: int, of: int) -> str:
    return (
        f"{count:,} ({count / of:.0%})" if of and count / of >= 0.005 else f"{count:,}"
    )


def _title(summary: Mapping[str, Any]) -> str:
    return printable(
        f"{summary['dataset']}: {summary['num_users']:,} users, "
        f"{summary['num_items']:,} items, {summary['num_interactions']:,} interactions"
    )
