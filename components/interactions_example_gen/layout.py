"""Finds out how a file is laid out: delimiter, header, which column is which."""

import csv
import dataclasses
import os
import re
from collections.abc import Mapping, Sequence

from components.interactions_example_gen import config

ROLES = ("user", "item", "rating", "timestamp")
# Lower case; RecBole's type, as in `user_id:token`, is dropped before the look-up.
COMMON_NAMES: Mapping[str, tuple[str, ...]] = {
    "user": ("userid", "user_id", "user", "uid", "visitorid", "customer_id"),
    "item": (
        *("movieid", "movie_id", "itemid", "item_id", "item", "iid", "movie"),
        *("productid", "product_id", "asin", "parent_asin", "isbn"),
    ),
    "rating": ("rating", "ratings", "stars", "score"),
    "timestamp": ("timestamp", "time", "ts", "datetime", "date", "unixreviewtime"),
}
DELIMITERS = ("::", "\t", ",", ";", "|")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([ T].*)?")
_SMALLEST_TIME = 1e8  # 1973; a third column of such numbers is a time, not a rating


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """Where things stand in a file.

    Attributes:
        delimiter: between fields; empty for Parquet.
        has_header: whether line 1 names the columns.
        names: of all columns, in order; without a header their positions from 0.
        user, item, rating, timestamp: positions in `names`; None if the file has no
            such column, which holds for the last two only.
    """

    delimiter: str = ""
    has_header: bool = True
    names: tuple[str, ...]
    user: int | None
    item: int | None
    rating: int | None
    timestamp: int | None

    @property
    def quoting(self) -> bool:
        """Whether a value may stand in double quotes. MovieLens' `::` never quotes."""
        return self.delimiter != "::"

    def columns(self) -> dict[str, str]:
        """Returns role -> column name, of the roles the file has."""
        positions = {role: getattr(self, role) for role in ROLES}
        return {r: self.names[p] for r, p in positions.items() if p is not None}

    def describe(self, role: str) -> str:
        """Returns how to name a column to the user: `'stars' (column 3)`."""
        position = getattr(self, role)
        name = repr(self.names[position]) if self.has_header else repr(role)
        return f"{name} (column {position + 1})"


def of_text(lines: Sequence[str], path: str, reading: config.ReadingConfig) -> Layout:
    """Returns the layout of a text file.

    Args:
        lines: its first lines that are not blank, without line ends; 1 or more.
        path: named in errors; its extension helps to tell the delimiter.
        reading: what the user said about the file.

    Raises:
        ValueError: a column is missing, or the header cannot be told from data.
    """
    delimiter = reading.delimiter
    if delimiter == "auto":
        delimiter = _guess_delimiter(lines, path)
    rows = [split(line, delimiter) for line in lines]
    if len(rows[0]) < 2:
        raise ValueError(
            f"{path}, line 1: a row must have at least a user and an item; split at "
            f"{delimiter!r} it has the one field {rows[0][0][:60]!r}. If another "
            "character separates the fields, set `data.delimiter`."
        )
    has_header = _has_header(rows, path, reading)
    names = tuple(n.strip() for n in rows[0]) if has_header else _positions(rows[0])
    found = (
        _by_name(names, reading.columns)
        if has_header
        else _by_position(rows[0], reading.columns)
    )
    return _checked(
        found, names, path, reading, delimiter=delimiter, has_header=has_header
    )


def of_parquet(
    names: Sequence[str], path: str, reading: config.ReadingConfig
) -> Layout:
    """Returns the layout of a Parquet file with columns `names`; see `of_text`."""
    found = _by_name(names, reading.columns)
    return _checked(found, tuple(names), path, reading, delimiter="", has_header=True)


def split(line: str, delimiter: str) -> list[str]:
    """Splits one line as the reader does."""
    if len(delimiter) > 1:
        return line.split(delimiter)
    return next(csv.reader([line], delimiter=delimiter), [""])


def _positions(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(i) for i in range(len(row)))


def _guess_delimiter(lines: Sequence[str], path: str) -> str:
    """Returns what splits the first two lines alike, and into the most fields."""
    name = os.path.basename(path).removesuffix(".gz")
    if name.endswith((".tsv", ".data", ".inter")) and "\t" in lines[0]:
        return "\t"
    if "::" in lines[0]:
        return "::"

    def fit(delimiter: str) -> tuple[bool, int]:
        counts = [len(split(line, delimiter)) for line in lines[:2]]
        return counts[0] == counts[-1] and counts[0] > 1, counts[0]

    return max((",", *DELIMITERS), key=fit)


def _key(name: str) -> str:
    """Returns `name` as it is compared: no type, no case, no outer spaces."""
    return name.split(":")[0].strip().lower()


def _has_header(
    rows: Sequence[Sequence[str]], path: str, reading: config.ReadingConfig
) -> bool:
    if reading.header != "auto":
        return reading.header
    if any(isinstance(value, str) for value in dict(reading.columns).values()):
        return True
    known = {name for names in COMMON_NAMES.values() for name in names}
    if sum(_key(field) in known for field in rows[0]) >= 2:
        return True
    if _looks_like_header(rows, _by_position(rows[0], reading.columns)):
        raise ValueError(
            f"{path}, line 1: {list(rows[0])} looks like a header with names that are "
            "not known. Name them in `data.columns` (user, item and, if there are "
            "any, rating and timestamp), or set `data.header: false` if this is data."
        )
    return False


def _looks_like_header(
    rows: Sequence[Sequence[str]], found: Mapping[str, int | None]
) -> bool:
    """Returns whether line 1 has words where rows have numbers."""

    def values(row: Sequence[str], *roles: str) -> list[bool]:
        places = [found[role] for role in roles]
        return [_is_value(row[p]) for p in places if p is not None and p < len(row)]

    if numbers := values(rows[0], "rating", "timestamp"):
        return not any(numbers)
    ids = [values(row, "user", "item") for row in rows[:2]]
    return len(ids) == 2 and not any(ids[0]) and all(ids[1])


def _is_value(field: str) -> bool:
    return bool(_NUMBER.fullmatch(field) or _DATE.fullmatch(field))


def _by_name(
    names: Sequence[str], columns: config.ColumnsConfig
) -> dict[str, int | None]:
    keys = [_key(name) for name in names]
    found: dict[str, int | None] = {}
    for role in ROLES:
        wanted = getattr(columns, role)
        if isinstance(wanted, int):
            found[role] = wanted
        elif wanted in names:
            found[role] = list(names).index(wanted)
        else:
            tried = COMMON_NAMES[role] if wanted is None else (_key(wanted),)
            found[role] = next((keys.index(n) for n in tried if n in keys), None)
    return found


def _by_position(
    row: Sequence[str], columns: config.ColumnsConfig
) -> dict[str, int | None]:
    roles = list(ROLES)
    if len(row) == 3 and _is_time(row[2]):
        roles.remove("rating")
    usual = {role: i for i, role in enumerate(roles) if i < len(row)}
    given = {r: v for r, v in dict(columns).items() if v is not None}
    if given:  # Positions beside those given are not guessed, but for user and item.
        usual = {r: usual[r] for r in ("user", "item")} | given
    return {role: usual.get(role) for role in ROLES}


def _is_time(field: str) -> bool:
    if _NUMBER.fullmatch(field):
        return float(field) >= _SMALLEST_TIME
    return bool(_DATE.fullmatch(field))


def _checked(
    found: Mapping[str, int | None],
    names: tuple[str, ...],
    path: str,
    reading: config.ReadingConfig,
    *,
    delimiter: str,
    has_header: bool,
) -> Layout:
    where = f"{path}, line 1" if delimiter else path
    for role in ROLES:
        position, wanted = found[role], getattr(reading.columns, role)
        if position is None and (wanted is not None or role in ("user", "item")):
            asked = f"named {wanted!r} " if wanted is not None else ""
            raise ValueError(
                f"{where}: there must be a column {asked}for `{role}`; the file has "
                f"{list(names)}. Set `data.columns.{role}` to one of these."
            )
        if position is not None and position >= len(names):
            raise ValueError(
                f"{where}: `data.columns.{role}` is position {position}, counted from "
                f"0, but a row has {len(names)} fields."
            )
    taken = [p for p in found.values() if p is not None]
    if len(set(taken)) < len(taken):
        raise ValueError(
            f"{where}: each column can serve one purpose; got "
            f"{ {r: names[p] for r, p in found.items() if p is not None} }. "
            "Set `data.columns`."
        )
    if reading.min_rating is not None and found["rating"] is None:
        raise ValueError(
            f"{where}: `data.min_rating` needs ratings, but none of the columns "
            f"{list(names)} is a rating. Set `data.columns.rating` or drop the filter."
        )
    return Layout(delimiter=delimiter, has_header=has_header, names=names, **found)
