"""Reads the users for whom lists are written: all, or those of a file."""

import csv
import dataclasses
import itertools
import json
import pathlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

_USER, _ITEMS = "user_id", "item_ids"


@dataclasses.dataclass(frozen=True)
class UserBlock:
    """Some users, either all known by id or all with a basket.

    Attributes:
        user_ids: raw ids.
        baskets: the items of each user, whom the model need not know; None for users
            known by id.
    """

    user_ids: Sequence[str]
    baskets: Sequence[Sequence[str]] | None = None


def of_users(user_ids: Iterable[str], size: int) -> Iterator[UserBlock]:
    """Yields blocks of at most `size` users."""
    iterator = iter(user_ids)
    while users := list(itertools.islice(iterator, size)):
        yield UserBlock(users)


def of_file(path: pathlib.Path, size: int) -> Iterator[UserBlock]:
    """Yields blocks of the users of a file, in its order, a block at a time.

    Args:
        path: a file `.txt` (one id per line), `.csv` (ids in the column `user_id` or,
            without such a header, in the first column), `.jsonl` (`{"user_id": ...}`)
            or `.parquet`. In the last two forms the list `item_ids`, if there is one,
            is the user's basket.
        size: how many users a block has at most.

    Raises:
        ValueError: there is no such file, or a line of it cannot be read.
    """
    if not path.is_file():
        raise ValueError(f"There is no file {path}.")
    readers = {".txt": _text, ".csv": _csv, ".jsonl": _jsonl, ".parquet": _parquet}
    if path.suffix not in readers:
        raise ValueError(
            f"A file of users must be one of {', '.join(readers)}; got {path.name}."
        )
    rows = _named(path, readers[path.suffix](path))
    for has_basket, group in itertools.groupby(rows, lambda row: row[1] is not None):
        while some := list(itertools.islice(group, size)):
            users, baskets = zip(*some, strict=True)
            yield UserBlock(users, baskets if has_basket else None)


Row = tuple[str, Any]


def _named(path: pathlib.Path, rows: Iterator[Row]) -> Iterator[Row]:
    """Yields the rows; the message of any error in the file names it."""
    try:
        yield from rows
    except (ValueError, TypeError, RecursionError, csv.Error) as error:
        if str(path) in str(error):
            raise
        raise ValueError(f"{path}: must be a file of users; {error}.") from None


def _text(path: pathlib.Path) -> Iterator[Row]:
    with open(path, encoding="utf-8-sig") as f:
        for line in f:
            if user := line.rstrip("\r\n"):
                yield user, None


def _csv(path: pathlib.Path) -> Iterator[Row]:
    with open(path, newline="", encoding="utf-8-sig") as f:
        rows = (row for row in csv.reader(f) if row)
        first = next(rows, [])
        column = first.index(_USER) if _USER in first else 0
        for row in rows if _USER in first else itertools.chain([first], rows):
            if len(row) > column:
                yield row[column], None


def _jsonl(path: pathlib.Path) -> Iterator[Row]:
    with open(path, encoding="utf-8") as f:
        for number, line in enumerate(f, 1):
            if line.strip():
                yield _checked(line, f"{path}, line {number}")


def _checked(line: str, where: str) -> Row:
    form = '{"user_id": "7", "item_ids": ["50", "181"]}, item_ids or not'
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where}: must be {form}; {error}.") from None
    user, items = (
        (row.get(_USER), row.get(_ITEMS)) if isinstance(row, dict) else ("", 0)
    )
    is_list = isinstance(items, list) and all(isinstance(item, str) for item in items)
    if not isinstance(user, str) or not (items is None or is_list):
        raise ValueError(f"{where}: must be {form}; got {line.strip()[:80]}")
    return user, items or None


def _parquet(path: pathlib.Path) -> Iterator[Row]:
    from pyarrow import parquet

    file = parquet.ParquetFile(path)
    if _USER not in file.schema_arrow.names:
        raise ValueError(
            f"{path} must have the column `{_USER}`; it has {file.schema_arrow.names}."
        )
    columns = [name for name in (_USER, _ITEMS) if name in file.schema_arrow.names]
    for batch in file.iter_batches(batch_size=1024, columns=columns):
        values = batch.to_pydict()
        baskets = values.get(_ITEMS) or [None] * batch.num_rows
        for user, items in zip(values[_USER], baskets, strict=True):
            yield str(user), [str(item) for item in items] if items else None
