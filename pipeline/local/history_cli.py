"""The commands for several runs: `ncf runs|compare|lineage|tensorboard`."""

import dataclasses
import json
import pathlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.messages import refuse
from pipeline.options import AsJson
from pipeline.text import counted, printable

if TYPE_CHECKING:
    from rich.tree import Tree

    from pipeline.local.compare import RankChange, RunComparison
    from pipeline.local.lineage import LineageStep
    from pipeline.local.runs import RunRow

Out = Annotated[
    pathlib.Path | None,
    typer.Option(help="The runs' folder.", show_default="the latest in runs/"),
]

_DATA = "data."
_ABSENT = object()
_WHOLE = ("run", "HR@10", "difference")
_WHOLE_IF_WIDE = ("UTC", "data")
# The least width of columns in a narrow terminal.
_LEAST = {"UTC": 10, "data": 7, "changed": 7, "outcome": 17}


def runs(
    out: Annotated[
        pathlib.Path | None,
        typer.Option(help="The runs' folder.", show_default="all in runs/"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """List the runs: time, data, changes, HR@10, and whether the model was pushed."""
    from pipeline.local import runs as runs_module

    try:
        found = {f: runs_module.rows(f) for f in runs_module.folders(out)}
    except ValueError as error:
        refuse(error)
    if as_json:
        rows = [dataclasses.asdict(row) for of in found.values() for row in of]
        typer.echo(json.dumps(rows, indent=2))
        return
    for folder, rows_of in found.items():
        lines = [
            (
                str(row.number),
                row.started[:16].replace("T", " "),
                row.dataset,
                changed,
                _figure(row.hit_rate),
                _came_to(row),
            )
            for row, changed in zip(rows_of, changes(rows_of), strict=True)
        ]
        names = ("run", "UTC", "data", "changed", "HR@10", "outcome")
        _print(str(folder), names, lines)


def changes(rows: Iterable["RunRow"]) -> list[str]:
    """Returns how the configuration of each run differs from that of the run before.

    The first run is compared with the defaults, without the fields of reading, which
    `ncf lineage` and the report show. A run that failed before its configuration was
    recorded has "".
    """
    told = []
    before: dict[str, Any] | None = None
    for row in rows:
        now = dict(row.changes)
        if before is None:
            parts = {k: v for k, v in now.items() if not k.startswith(_DATA)}
        else:
            parts = {k: v for k, v in now.items() if before.get(k, _ABSENT) != v}
        said = [f"{name}={_value(value)}" for name, value in parts.items()]
        if row.state == "done" or now:
            gone = () if before is None else before.keys() - now.keys()
            said += [f"{name} as by default" for name in sorted(gone)]
            before = now
        told.append("\n".join(said))
    return told


def compare(
    first: Annotated[str, typer.Argument(help="A number of `ncf runs`, or a folder.")],
    second: Annotated[
        str, typer.Argument(help="The run it is compared with, named in the same way.")
    ],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Compare two runs: metrics list by list, configuration, users gained and lost."""
    from pipeline.local import compare as compare_module

    try:
        chosen = [compare_module.choose(name, out) for name in (first, second)]
        found = compare_module.compare(*chosen)
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo(json.dumps(dataclasses.asdict(found), indent=2))
        return
    _print_comparison(found)


def lineage(
    version: Annotated[int, typer.Argument(help="A number in the serving folder.")],
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """Show the artifacts from which a pushed version was computed, back to the file."""
    from rich.console import Console

    from pipeline.local import lineage as lineage_module
    from pipeline.local import runs as runs_module

    try:
        step = lineage_module.trace(runs_module.folders(out)[-1], version)
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo(json.dumps(step.to_json(), indent=2))
        return
    Console(highlight=False).print(_tree(step))


def tensorboard(
    folder: Annotated[
        pathlib.Path | None,
        typer.Argument(help="The runs' folder.", show_default="the latest in runs/"),
    ] = None,
    out: Out = None,
    port: Annotated[int, typer.Option(help="The port of the page.")] = 6006,
    only_write: Annotated[
        bool, typer.Option("--only-write", help="Write the folder, start nothing.")
    ] = False,
) -> None:
    """Show the curves of each training, and the items as points with their titles."""
    from pipeline.local import runs as runs_module
    from pipeline.local import tensorboard as tensorboard_module

    try:
        written = tensorboard_module.prepare(runs_module.folders(folder or out)[-1])
    except (ValueError, OSError) as error:
        refuse(error)
    typer.echo(str(written))
    if not only_write:
        raise typer.Exit(tensorboard_module.start(written, port=port))


def _print_comparison(found: "RunComparison") -> None:
    from components.report import wording

    first, second = _told_apart(found.first, found.second)
    names = ("", first, second, "difference")
    _print(
        f"On the same {found.lists:,} lists, those of {second}",
        names,
        [
            (wording.metric(name), _figure(p.first), _figure(p.second), _difference(p))
            for name, p in found.paired.items()
        ],
    )
    _print(
        "As each run evaluated its own model",
        names[:3],
        [
            (wording.metric(name), *map(_figure, pair))
            for name, pair in found.figures.items()
        ],
    )
    _print(
        "Configuration, where it differs" if found.config else "Same configuration",
        names[:3],
        [(name, *map(_value, pair)) for name, pair in found.config.items()],
    )
    for count, better, worse, users in (
        (found.gained, second, first, found.users_gained),
        (found.lost, first, second, found.users_lost),
    ):
        shown = f"; the {len(users)} that moved most"
        some = shown if len(users) < count else ""
        _print(
            f"{counted(count, 'user')} whose held-out item is among the first ten of "
            f"{better}, not of {worse}{some}",
            ("user", "held-out item", "place before", "place after"),
            map(_change, users),
        )


def _told_apart(first: str, second: str) -> tuple[str, str]:
    """Returns the names of two runs, without the folder if it is the same."""
    (one, _, folder), (other, _, same) = (n.partition(" in ") for n in (first, second))
    return (one, other) if folder == same else (first, second)


def _change(change: "RankChange") -> tuple[str, ...]:
    places = ("none" if p is None else str(p) for p in (change.first, change.second))
    return (change.user_id, change.item_id, *places)


def _difference(paired: Any) -> str:
    error = "" if paired.error is None else f" ± {paired.error:.4f}"
    return f"{paired.difference:+.4f}{error}"


def _tree(step: "LineageStep") -> "Tree":
    from rich.text import Text
    from rich.tree import Tree

    told = f"{step.artifact}  {step.uri}"
    if step.node:
        run = f"run {step.run}" if step.run else "a run that was forgotten"
        told += f"\n  by {step.node} in {run}"
    if step.source:
        told += f", from {step.source}"
    if step.seen:
        told += "\n  as above"
    tree = Tree(Text(printable(told, lines=True)))
    for one in step.inputs:
        tree.children.append(_tree(one))
    return tree


def _print(title: str, names: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Prints a table, whose long texts may be broken into lines."""
    from rich import box
    from rich.console import Console
    from rich.text import Text

    from pipeline import tables

    console = Console(highlight=False)
    console.print(Text(printable(title)))
    is_wide = console.width >= tables.WIDE
    table = tables.fitting(console.width, box.SIMPLE_HEAD)
    for name in names:
        whole = name in _WHOLE or re.fullmatch(r"run \d+", name) is not None
        whole |= name in _WHOLE_IF_WIDE and is_wide
        table.add_column(
            Text(printable(name)),
            overflow="fold",
            no_wrap=whole,
            min_width=None if is_wide else _LEAST.get(name),
        )
    for row in rows:
        table.add_row(*(Text(printable(cell, lines=True)) for cell in row))
    if table.rows:
        console.print(table)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"


def _value(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _came_to(row: "RunRow") -> str:
    """Returns in words how a run ended, and what became of its model."""
    if row.state != "done":
        return row.state
    if not row.blessed:
        return "not blessed"
    if row.pushed is None:
        return "blessed, not pushed"
    return f"pushed as {row.pushed}" + (", served now" if row.served else "")
