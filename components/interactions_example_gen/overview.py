"""Reads a file of interactions, and says how it is understood, before a run."""

import contextlib
import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.interactions_example_gen import (
    faults,
    files,
    grouping,
    layout,
    names,
    reading,
    tables,
)
from components.interactions_example_gen.config import ReadingConfig
from components.interactions_example_gen.faults import BadRow

SHOWN_ROWS = 3
_SEVENTIES = 100_000_000  # 1973, in seconds
_EXCEL_DAYS = (25_569, 73_051)  # 1970 to 2099
_QUANTITIES = ("quantity", "qty", "count", "amount", "units")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Overview:
    """How the data are understood, and how much of them was read.

    Attributes:
        paths: the files.
        found: the layout of the first file.
        complete: whether all rows were read, or only the first ones.
        rows: how many rows were read.
        below: how many of these rows have a rating below `min_rating`; they do not
            count.
        repeats: how many of the other rows repeat a pair of user and item.
        users, items: how many different users and items there are.
        first, last: the earliest and the latest time, seconds since 1970; None without
            times.
        samples: the first rows, role -> value as it is in the file.
        skipped: how many rows cannot be read, by kind.
        bad_rows: the first rows that cannot be read.
        notes: what a person should look at, the most important first.
        time_columns: columns without a role that look like times.
        time_format: the date format of numbers that would be times in 1970; None if
            they are no dates, or no format is certain.
    """

    paths: list[str]
    found: layout.Layout
    complete: bool
    rows: int
    users: int
    items: int
    below: int
    repeats: int
    first: int | None
    last: int | None
    samples: list[dict[str, str]]
    skipped: Counter[str]
    bad_rows: list[BadRow]
    notes: list[str]
    time_columns: list[str]
    time_format: str | None = None


def survey(
    path: str,
    reading_config: ReadingConfig,
    *,
    pattern: str = "*",
    at_most: float = np.inf,
) -> Overview:
    """Reads the data, or the beginning of it, and says how it is understood.

    Args:
        path: a file or a folder of files.
        reading_config: how to read it.
        pattern: glob inside the folder.
        at_most: bytes; of larger data only the first block is read.

    Raises:
        ValueError: a row cannot be read, unless `bad_rows` is `skip` and another row
            can be; or the file cannot be read at all.
    """
    paths = files.find(path, pattern)
    first_path, found = reading.first_layout(paths, reading_config)
    complete = sum(map(files.size, paths)) <= at_most
    counts = _Counts(reading_config.min_rating)
    for block in _blocks(paths if complete else [first_path], found, reading_config):
        counts.add(block)
        if not complete:
            break
    if counts.bad_rows and counts.skipped.total() == counts.rows:
        raise _nothing_left(first_path, reading_config, counts.bad_rows[0])
    sampled = _sample(first_path, found)
    return Overview(
        paths=paths,
        found=found,
        complete=complete,
        samples=[
            {role: row[name] for role, name in _shown_columns(found).items()}
            for row in sampled[:SHOWN_ROWS]
        ],
        notes=[
            *_time_notes(found, sampled, counts),
            *([] if reading_config.min_rating else _cancellations(first_path, found)),
            *_title_notes(found),
        ],
        time_columns=_time_columns(found, sampled),
        time_format=_time_format(found, sampled, counts),
        **counts.figures(has_times=found.timestamp is not None),
    )


def _blocks(
    paths: Sequence[str], found: layout.Layout, config: ReadingConfig
) -> Iterator[reading.RowBlock]:
    no_rows = [reading.NoRowsError] if config.bad_rows == "skip" else []
    for path in paths:
        with contextlib.suppress(*no_rows):
            reading.check_roles(path, config, list(found.columns()))
            yield from reading.read_blocks(path, config)


class _Counts:
    """Counts over blocks of rows, keeping only a number per id and row."""

    def __init__(self, min_rating: float | None) -> None:
        self.rows = 0
        self.below = 0
        self._min_rating = min_rating
        self.skipped: Counter[str] = Counter()
        self.bad_rows: list[BadRow] = []
        self.by_item = False
        self._users: list[pa.Array] = []
        self._items: list[pa.Array] = []
        self._times: list[tuple[int, int]] = []

    def add(self, block: reading.RowBlock) -> None:
        self.rows += block.rows_read
        self.skipped += block.skipped
        self.bad_rows = [*self.bad_rows, *block.bad_rows][: faults.SHOWN]
        rows = grouping.rated_high_enough(block.rows, self._min_rating)
        self.below += len(block.rows) - len(rows)
        if not len(rows):
            return
        users, items = (rows.column(n) for n in ("user", "item"))
        users, items = users.dictionary_encode(), items.dictionary_encode()
        if not self._users:
            self.by_item = _in_runs(items) and not _in_runs(users)
        self._users.append(users)
        self._items.append(items)
        times = rows.column("time").to_numpy()
        self._times.append((int(times.min()), int(times.max())))

    @property
    def first(self) -> int:
        return min((low for low, _ in self._times), default=0) // 1_000_000

    @property
    def last(self) -> int:
        return max((high for _, high in self._times), default=0) // 1_000_000

    def figures(self, *, has_times: bool) -> dict[str, Any]:
        (users, num_users), (items, num_items) = map(_codes, (self._users, self._items))
        pairs = users.astype(np.int64) << 32 | items
        return {
            "rows": self.rows,
            "users": num_users,
            "items": num_items,
            "below": self.below,
            "repeats": len(pairs) - len(np.unique(pairs)),
            "first": self.first if has_times else None,
            "last": self.last if has_times else None,
            "skipped": self.skipped,
            "bad_rows": self.bad_rows,
        }


def _codes(blocks: list[pa.Array]) -> tuple[np.ndarray, int]:
    """Returns the ids of all blocks as numbers, and how many ids differ."""
    if not blocks:
        return np.empty(0, np.int32), 0
    unified = pa.chunked_array(blocks).unify_dictionaries()
    codes = [chunk.indices.to_numpy() for chunk in unified.chunks]
    return np.concatenate(codes), len(unified.chunk(0).dictionary)


def _in_runs(ids: pa.DictionaryArray) -> bool:
    """Returns whether equal ids are neighbours, as in a file sorted by them."""
    codes = ids.indices.to_numpy()
    runs = 1 + int(np.count_nonzero(np.diff(codes)))
    return 1 < len(ids.dictionary) == runs < len(codes)


def _shown_columns(found: layout.Layout) -> dict[str, str]:
    shown = dict(found.columns())
    if found.title is not None:
        shown["title"] = found.names[found.title]
    return shown | {f"unused {name}": name for name in found.unused()}


def _sample(path: str, found: layout.Layout) -> list[dict[str, str]]:
    """Returns the first rows, column -> text; "" for fields that a row lacks."""
    if path.lower().endswith(files.PARQUET):
        rows = tables.first_rows(path)
    else:
        lines = reading.first_lines(path)[found.has_header and found.is_text :]
        if not found.is_text:
            rows = [tables.json_object(line) for line in lines]
        else:
            split = [layout.split(line, found.delimiter) for line in lines]
            rows = [_by_column(row, found) for row in split]
    return [
        {n: "" if row.get(n) is None else str(row[n]) for n in found.names}
        for row in rows
    ]


def _by_column(row: Sequence[str], found: layout.Layout) -> dict[str, str]:
    """Returns column -> text; of columns of one name that which has a role."""
    used = [getattr(found, role) for role in (*layout.ROLES, "title")]
    places = [*range(len(found.names)), *(p for p in used if p is not None)]
    return {found.names[p]: row[p] for p in places if p < len(row)}


def _nothing_left(path: str, config: ReadingConfig, first: BadRow) -> ValueError:
    """Returns the error that no row can be read, and the setting that is wrong."""
    strict = config.model_copy(update={"bad_rows": "error"})
    try:
        next(reading.read_blocks(path, strict))
    except faults.SettingError as error:
        return error
    except ValueError:
        pass
    return ValueError(f"There must be a row that can be read. {first.message}.")


def _time_notes(
    found: layout.Layout, rows: list[dict[str, str]], counts: _Counts
) -> Iterator[str]:
    if found.timestamp is None:
        yield (
            "NO TIME: the order of the rows stands for it, so each user's last row is "
            "taken for the latest."
        )
        for name in _time_columns(found, rows):
            yield (
                f"{layout.short(name)} looks like a time: `data.columns.timestamp: "
                f"{name}` would use it."
            )
        if counts.by_item:
            yield (
                "The rows are sorted by item, so their order is hardly that of time: "
                "give times, or sort the file by them."
            )
    elif counts.last < _SEVENTIES:
        form = _time_format(found, rows, counts)
        said = (
            "say how it is written: `data.timestamp_format`"
            if form is None
            else f"say so: `data.timestamp_format: '{form}'`"
        )
        yield (
            f"The latest time would be in {1970 + counts.last // 31_556_952}. If "
            f"{found.names[found.timestamp]!r} is a date, {said}. If it is a mere "
            "order, nothing is wrong."
        )


def _time_format(
    found: layout.Layout, rows: list[dict[str, str]], counts: _Counts
) -> str | None:
    """Returns the date format of numbers that would be times in 1970, if any."""
    if found.timestamp is None or counts.last >= _SEVENTIES:
        return None
    numbers = [row[found.names[found.timestamp]] for row in rows]
    numbers = [number for number in numbers if number]
    if "%Y%m%d" in faults.forms(numbers):
        return "%Y%m%d"
    in_excel = _EXCEL_DAYS[0] <= counts.first <= counts.last < _EXCEL_DAYS[1]
    return "excel" if in_excel else None


def _title_notes(found: layout.Layout) -> Iterator[str]:
    if found.title is None and (
        titles := [n for n in found.unused() if names.find("title", [n]) is not None]
    ):
        yield (
            f"{layout.short(titles[0])} may be what people call the item: "
            f"`data.columns.title: {titles[0]}` would show it beside the item's id."
        )


def _cancellations(path: str, found: layout.Layout) -> Iterator[str]:
    """Yields what to do if the first block of rows has negative quantities."""
    rating = found.columns().get("rating")
    quantities = [n for n in found.unused() if names.key(n) in _QUANTITIES]
    for name in [rating] if rating is not None else quantities:
        # The column is read as a title, that is, as plain text.
        of_column = dataclasses.replace(found, title=found.names.index(name))
        columns, _, _ = next(reading.read_columns(path, of_column, {"title": name}))
        values = columns["title"]
        minus = pc.starts_with(pc.utf8_ltrim_whitespace(values.cast(pa.string())), "-")
        if negative := pc.sum(minus).as_py():
            yield (
                f"{layout.short(name)} is negative in {negative:,} of the first "
                f"{len(values):,} rows. If these are cancellations and no "
                f"interactions, leave them out: `data.columns.rating: {name}` and "
                "`data.min_rating: 1`."
            )


def _time_columns(found: layout.Layout, rows: list[dict[str, str]]) -> list[str]:
    if found.timestamp is not None:
        return []
    return [
        name
        for name in found.unused()
        if _look_like_times([row[name] for row in rows if row[name]])
    ]


def _look_like_times(values: list[str]) -> bool:
    """Returns whether all of `values` are dates, or plausible seconds since 1970."""
    if not values:
        return False
    if all(layout.is_time(value) for value in values):
        return True
    return bool(faults.forms(values))
