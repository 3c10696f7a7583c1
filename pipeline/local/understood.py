"""Shows how the data are understood, before anything is computed from them."""

import datetime
import pathlib
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console
from rich.table import Table
from rich.text import Text

from components.interactions_example_gen import span_marks
from pipeline import options
from pipeline.text import counted, printable

if TYPE_CHECKING:
    from components.interactions_example_gen.overview import Overview
    from pipeline.config import DataConfig

_NAMES = {"timestamp": "time"}
_SHOWN_CHARACTERS = 60
_LEAST_CHARACTERS = 8
_BESIDE = 12  # The width of the roles and of the space between columns.
_SHOWN_UNUSED = 300


def show(console: Console, overview: "Overview", titles: Mapping[str, str]) -> None:
    """Prints the roles of columns, the size of the data, and notes."""
    table = Table("", "column", "first rows", box=None, padding=(0, 2, 0, 0))
    names = overview.found.columns().values()
    longest = max(len(_column(overview, name)) for name in names)
    room = max(console.width - longest - _BESIDE, _LEAST_CHARACTERS)
    for role in ("user", "item", "rating", "timestamp"):
        column = overview.found.columns().get(role)
        name = "none" if column is None else _column(overview, column)
        values = [row[role] for row in overview.samples] if column else []
        table.add_row(
            Text(_NAMES.get(role, role), style="bold"),
            Text(name, style="" if column else "dim"),
            Text(_cut(", ".join(values), min(room, _SHOWN_CHARACTERS))),
        )
    console.print(table)
    if unused := overview.found.unused():
        shown = ", ".join(_column(overview, name) for name in unused)
        console.print(f"Not used: {_cut(shown, _SHOWN_UNUSED)}.", markup=False)
    for sentence in counts(overview):
        console.print(printable(sentence), markup=False)
    if titles:
        console.print(f"{counted(len(titles), 'title')} of items.", markup=False)
    for note in overview.notes:
        console.print(printable(note), style="bold yellow", markup=False)


def counts(overview: "Overview") -> list[str]:
    """Returns in words how much data there are, and what cannot be read."""
    whose = "" if overview.complete else "The first "
    span = ""
    if overview.first is not None and overview.last is not None:
        span = f", from {_day(overview.first)} to {_day(overview.last)}"
    rest = "" if overview.complete else "; the rest is read by the run"
    said = [
        f"{whose}{counted(overview.rows, 'row')}: {counted(overview.users, 'user')}, "
        f"{counted(overview.items, 'item')}{span}{rest}."
    ]
    if overview.skipped:
        kinds = ", ".join(
            f"{count:,} {kind.replace('_', ' ')}"
            for kind, count in overview.skipped.most_common()
        )
        said.append(
            f"{counted(overview.skipped.total(), 'row')} left out, which cannot be "
            f"read: {kinds}. The first: {overview.bad_rows[0].message}."
        )
    if overview.below:
        below = counted(overview.below, "row")
        said.append(f"{below} below `data.min_rating`: left out.")
    if overview.repeats:
        repeats = counted(overview.repeats, "repeat")
        said.append(f"{repeats} of a user and an item: counted once.")
    return said


def as_json(overview: "Overview", path: pathlib.Path) -> dict[str, Any]:
    """Returns how the data are understood, as values that JSON can hold."""
    return {
        "path": str(path),
        "columns": overview.found.columns(),
        "unused": overview.found.unused(),
        "complete": overview.complete,
        **{
            name: getattr(overview, name)
            for name in ("rows", "users", "items", "repeats", "first", "last", "notes")
        },
        "rows_below_min_rating": overview.below,
        "rows_skipped": dict(overview.skipped),
    }


def write_config(file: pathlib.Path, overview: "Overview", data: "DataConfig") -> None:
    """Writes a configuration that reads the data in the way that was shown.

    Args:
        file: the new file, which must not exist.
        overview: how the data are understood.
        data: the settings with which they were read.

    Raises:
        ValueError: the file exists, or cannot be written there.
    """
    options.check_new_file(file)
    found = overview.found
    columns: dict[str, Any] = dict.fromkeys(("user", "item", "rating", "timestamp"))
    for role, name in found.columns().items():
        by_name = found.has_header and found.names.count(name) == 1
        columns[role] = name if by_name else getattr(found, role)
    if data.columns.title is not None:
        columns["title"] = data.columns.title
    path = pathlib.Path(data.dataset).expanduser()
    is_path = path.exists() or span_marks.has_marks(data.dataset)
    section: dict[str, Any] = {
        "dataset": str(path.resolve()) if is_path else data.dataset,
        "columns": columns,
    }
    if found.is_text:
        section |= {"delimiter": found.delimiter, "header": found.has_header}
    section = data.model_dump(exclude_unset=True, mode="json") | section
    told = [*counts(overview), *overview.notes]
    text = "".join(f"# {printable(line)}\n" for line in told)
    text += yaml.safe_dump({"data": section}, sort_keys=False, allow_unicode=True)
    file.write_text(text, encoding="utf-8")


def _column(overview: "Overview", name: str) -> str:
    return printable(name) if overview.found.has_header else f"number {name}"


def _cut(text: str, length: int) -> str:
    text = printable(text)
    return text if len(text) <= length else text[: length - 1] + "…"


def _day(seconds: int) -> str:
    time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{time:%Y-%m-%d}"
