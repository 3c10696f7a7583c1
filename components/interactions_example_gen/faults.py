"""Says which rows are at fault, and what to do about it."""

import dataclasses
import datetime
import itertools
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.interactions_example_gen import layout
from components.interactions_example_gen.config import ReadingConfig

FIELD_COUNT = "wrong_number_of_fields"
SHOWN = 10  # So many bad rows are shown.
_NOT_UTF8 = "not_utf8"
_RULES = {
    _NOT_UTF8: "must be UTF-8 text",
    "blank": "must not be blank",
    "line_end": "must be one line of text without zero bytes",
    "rating": "must be a finite number",
    "timestamp": "must be a time from 1970 to 9999, a number or an ISO 8601 date",
}
_DAYS = (
    *("%d/%m/%Y", "%m/%d/%Y", "%d.%m.%Y", "%d-%m-%Y", "%m-%d-%Y", "%Y/%m/%d"),
    *("%Y.%m.%d", "%d/%m/%y", "%m/%d/%y", "%d.%m.%y", "%d %b %Y", "%d %B %Y"),
    *("%d-%b-%Y", "%b %d, %Y", "%B %d, %Y", "%m %d, %Y", "%Y%m%d"),
)
_TIMES = (
    *("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %I:%M%p"),
    *("T%H:%M:%S", ", %H:%M", ", %H:%M:%S"),
)
TO_UTF8 = "`iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv`"
_NOON = re.compile(r"(?i)\b([ap])\.?\s?m\b\.?")
_COMMA = re.compile(r"\s*[+-]?[\d.\s']*\d,\d+\s*")


class SettingError(ValueError):
    """The rows cannot be read with the given settings.

    Attributes:
        suggests: settings with which they could be read: field of `ReadingConfig` ->
            value; {} if there is no single answer.
    """

    def __init__(self, message: str, suggests: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.suggests = suggests or {}


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that cannot be read: its line (row, for Parquet) from 1, and why."""

    line: int
    kind: str
    message: str


class Mask(NamedTuple):
    """Rows that break a rule; bool [n]."""

    role: str
    rule: str
    rows: np.ndarray


class RowSource(NamedTuple):
    """Where rows come from: file, layout, and a function from rows to lines."""

    path: str
    found: layout.Layout
    lines: Callable[[np.ndarray], np.ndarray]


def describe(
    columns: dict[str, pa.Array],
    masks: Sequence[Mask],
    faults: Sequence[tuple[int, str]],
    place: RowSource,
) -> tuple[Counter[str], list[BadRow]]:
    """Returns how many rows are at fault by kind, and the first of them by line.

    A row that breaks several rules counts once, for the first of `masks`.

    Args:
        columns: role -> values as they are in the file.
        masks: rules and the rows that break them.
        faults: (line, why) of rows that are not in `columns`.
        place: where the rows come from.
    """
    skipped = Counter({FIELD_COUNT: len(faults)} if faults else {})
    unit = "line" if place.found.is_text else "row"
    bad_rows = [
        BadRow(line, FIELD_COUNT, f"{place.path}, {unit} {line}: {why}")
        for line, why in sorted(faults)[:SHOWN]
    ]
    seen = np.zeros(len(columns["user"]), bool)
    for role, rule, mask in masks:
        kind = f"{rule}_{role}" if rule != role else f"bad_{role}"
        rows = np.flatnonzero(mask & ~seen)
        seen |= mask
        if not len(rows):
            continue
        skipped[kind] += len(rows)
        rows = rows[:SHOWN]
        for row, line in zip(rows.tolist(), place.lines(rows).tolist(), strict=True):
            value = _shown(columns[role][row].as_py())
            message = (
                f"{place.path}, {unit} {line}, column {place.found.describe(role)}: "
                f"{_RULES[rule]}; got {value}"
            )
            bad_rows.append(BadRow(line, kind, message))
    return skipped, sorted(bad_rows, key=lambda bad: bad.line)[:SHOWN]


def refusal(
    columns: dict[str, pa.Array],
    masks: Sequence[Mask],
    first: BadRow,
    reading: ReadingConfig,
) -> ValueError:
    """Returns the error that ends the reading, which says what to do.

    Where every row breaks the same rule, a setting is wrong and not the rows. In a file
    of another encoding the rows without accents can be read: to skip the others, as
    `ncf prepare --write-config` skips bad rows, would be wrong.
    """
    if first.kind.startswith(_NOT_UTF8):
        convert = (
            f"{first.message}. Convert the file from its encoding, for example with "
            f"{TO_UTF8}."
        )
        if np.all(np.any([mask.rows for mask in masks], axis=0)):
            return SettingError(convert)
        return SettingError(
            f"{convert} If only a few rows are damaged, set `data.bad_rows: skip` to "
            "leave them out and count them."
        )
    for role, rule, mask in masks:
        if len(mask) > 1 and mask.all():
            cure, suggests = _cure(role, rule, _texts(columns[role]), reading)
            return SettingError(
                f"{first.message}, and so it is in every row looked at. {cure}",
                suggests,
            )
    return ValueError(
        f"{first.message}. Correct the row, or set `data.bad_rows: skip` to leave such "
        "rows out and count them."
    )


def forms(values: Iterable[str]) -> list[str]:
    """Returns the forms of dates, in strptime's signs, that fit all of `values`.

    Example:
        >>> forms(["14/12/2009 02:52"])
        ['%d/%m/%Y %H:%M']
        >>> forms(["3.4.2009", "5.6.2009"])
        ['%d.%m.%Y']
        >>> forms(["01/02/2009 2:52 p.m."])
        ['%d/%m/%Y %I:%M %p', '%m/%d/%Y %I:%M %p']
    """
    values = [_NOON.sub(r"\1M", value.strip()) for value in values]
    fitting = []
    for day, time in itertools.product(_DAYS, _TIMES):
        if values and all(_fits(value, day + time) for value in values):
            fitting.append(day + time)
    return fitting


def _fits(value: str, form: str) -> bool:
    try:
        return datetime.datetime.strptime(value, form).year >= 1970
    except ValueError:
        return False


def _cure(
    role: str, rule: str, values: list[str], reading: ReadingConfig
) -> tuple[str, dict[str, str]]:
    """Returns what to do in words, and the setting that does it, if there is one."""
    commas = all(map(_COMMA.fullmatch, values))
    if rule in ("rating", "timestamp") and reading.decimal == "." and commas:
        said = "Set `data.decimal: ','` if the comma stands before a fraction."
        return said, {"decimal": ","}
    if rule == "timestamp" and (fitting := forms(values)):
        choice = " or ".join(f"`data.timestamp_format: '{form}'`" for form in fitting)
        if len(fitting) > 1:
            return f"Set {choice}; the values do not tell which.", {}
        return f"Set {choice}.", {"timestamp_format": fitting[0]}
    if rule == "timestamp":
        said = (
            "Say what it looks like in `data.timestamp_format`, for example "
            "'%d/%m/%Y %H:%M'; or that it is no time, `data.columns.timestamp: null`."
        )
    elif rule == "rating":
        said = "If it is no rating, set `data.columns.rating: null`."
    else:
        said = f"Is this the right column? Set `data.columns.{role}`."
    return said, {}


def _texts(column: pa.Array) -> list[str]:
    """Returns values from all over the column, as the first days may not be enough."""
    places = np.unique(np.linspace(0, len(column) - 1, 200).astype(np.int64))
    values = (value.as_py() for value in column.take(pa.array(places)))
    return [
        v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values
    ]


def _shown(value: object) -> str:
    """Returns a value for a message: as text if possible, and shortened."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return repr(value[:60])
    return repr(value[:60] if isinstance(value, str) else value)
