"""Finds out how a file is laid out: delimiter, header, and the columns' roles."""

import csv
import dataclasses
import re
import reprlib
from collections.abc import Iterable, Mapping, Sequence

from components.interactions_example_gen import config, files
from components.interactions_example_gen import names as common
from components.interactions_example_gen.config import AUTO

ROLES = ("user", "item", "rating", "timestamp")
DELIMITERS = ("::", "\t", ",", ";", "|")
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")
_DATE = re.compile(r"\s*\d{4}-\d\d-\d\d([ T].*)?")
_EXCEL_MARK = re.compile(r'(?i)"?sep=.{0,2}"?\s*')
_SMALLEST_TIME = 1e8  # In 1973. A third column of larger numbers is a time, no rating.
# Times from 2001 to 2065 in seconds or milliseconds, and dates such as 14/12/2009.
_USUAL_TIMES = ((1e9, 3e9), (1e12, 3e12))
_ANY_DATE = re.compile(r"\s*(\d{4}-\d\d-\d\d|\d{1,2}[./-]\d{1,2}[./-]\d{4})([ T].*)?")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Layout:
    """The delimiter, the header and the columns of a file.

    Attributes:
        delimiter: the text between fields; "" for Parquet.
        has_header: whether line 1 names the columns.
        names: of all columns, in order; without a header their positions from 0.
        user, item: positions in `names`.
        rating, timestamp: positions in `names`; None if the file has no such column.
        title: position of the items' titles; None unless a title column was asked for.
    """

    delimiter: str = ""
    has_header: bool = True
    names: tuple[str, ...]
    user: int | None
    item: int | None
    rating: int | None
    timestamp: int | None
    title: int | None = None

    @property
    def quoting(self) -> bool:
        """Whether values may be in double quotes; MovieLens' `::` files never quote."""
        return self.delimiter != "::"

    @property
    def is_text(self) -> bool:
        """Whether rows are lines of fields, unlike those of Parquet or JSON."""
        return bool(self.delimiter)

    def columns(self) -> dict[str, str]:
        """Returns role -> column name, for the roles that the file has."""
        positions = {role: getattr(self, role) for role in ROLES}
        return {r: self.names[p] for r, p in positions.items() if p is not None}

    def unused(self) -> list[str]:
        """Returns the names of the columns without a role."""
        used = {getattr(self, role) for role in (*ROLES, "title")}
        return [name for i, name in enumerate(self.names) if i not in used]

    def describe(self, role: str) -> str:
        """Returns a column's name in messages, such as `'stars' (column 3)`."""
        position = getattr(self, role)
        name = short(self.names[position]) if self.has_header else repr(role)
        return f"{name} (column {position + 1})"


def of_text(lines: Sequence[str], path: str, reading: config.ReadingConfig) -> Layout:
    """Returns the layout of a text file.

    Args:
        lines: the text's first lines that are not blank, without line ends; 1 or more.
        path: named in errors; its extension suggests the delimiter.
        reading: the settings of how the file is read.

    Raises:
        ValueError: a column is missing, or the header cannot be told from data.
    """
    if _EXCEL_MARK.fullmatch(lines[0]):
        raise ValueError(
            f"{path}, line 1: must be a header or a row; {short(lines[0])} only tells "
            "Excel what separates the fields. Remove the line: "
            "`tail -n +2 OLD.csv > NEW.csv`."
        )
    delimiter = reading.delimiter
    if delimiter == "auto":
        delimiter = _guess_delimiter(lines, path)
    rows = [split(line, delimiter) for line in lines]
    if len(rows[0]) < 2:
        raise ValueError(
            f"{path}, line 1: a row must have at least a user and an item; split at "
            f"{delimiter!r} it has the one field {short(rows[0][0])}. If another "
            "character separates the fields, set `data.delimiter`."
        )
    has_header = _has_header(rows, path, reading)
    names = tuple(n.strip() for n in rows[0]) if has_header else _positions(rows[0])
    found = (
        _by_name(names, reading.columns)
        if has_header
        else _by_position(rows[0], reading.columns)
    )
    given = {p for p in dict(reading.columns).values() if isinstance(p, int)}
    if twice := _named_twice(names, set(found.values()) - given):
        role = next(r for r, p in found.items() if p is not None and names[p] in twice)
        raise ValueError(
            f"{path}, line 1: {_twice(twice)} Rename them, or give the position, "
            f"counted from 0: `data.columns.{role}: {found[role]}`."
        )
    return _checked(
        found, names, path, reading, delimiter=delimiter, has_header=has_header
    )


def of_table(names: Sequence[str], path: str, reading: config.ReadingConfig) -> Layout:
    """Returns the layout of a file whose columns have `names`; see `of_text`."""
    found = _by_name(names, reading.columns)
    if twice := _named_twice(names, found.values()):
        raise ValueError(
            f"{path}: {_twice(twice)} Rename them when you write the file."
        )
    return _checked(found, tuple(names), path, reading, delimiter="", has_header=True)


def of_titles(
    lines: Sequence[str] | None, names: Sequence[str], path: str, title: str | None
) -> Layout:
    """Returns the layout of a file of items' titles.

    The item is the column with a common name of an item's id, or `id`, or the first
    column. The title is the column `title`, or one with a common name of a title, or
    the second column.

    Args:
        lines: the first lines of a text file; None for Parquet or JSON.
        names: the columns of a Parquet or JSON file; ignored for a text file.
        path: named in errors.
        title: the configured name of the column of titles; None if there is none.

    Raises:
        ValueError: there is no such column, or no two columns.
    """
    delimiter = _guess_delimiter(lines, path) if lines is not None else ""
    first = split(lines[0], delimiter) if lines is not None else list(names)
    if len(first) < 2:
        raise ValueError(
            f"{path}: must have a column of item ids and one of titles; got "
            f"{short(first)}."
        )
    item, named = common.find("item", first), common.find("title", first)
    if item is None:
        keys = [common.key(name) for name in first]
        item = keys.index("id") if "id" in keys else None
    if title is not None:
        if title not in first:
            raise ValueError(
                f"{path}: there must be a column {short(title)} of titles; the file "
                f"has {short(first)}. Set `data.columns.title` to one of these."
            )
        named = first.index(title)
    has_header = lines is None or item is not None or title is not None
    item = 0 if item is None else item
    named = (1 if item == 0 else 0) if named is None else named
    return Layout(
        delimiter=delimiter,
        has_header=has_header,
        names=tuple(first) if has_header else _positions(first),
        user=None,
        item=item,
        rating=None,
        timestamp=None,
        title=named,
    )


def split(line: str, delimiter: str) -> list[str]:
    """Splits a line into fields as the reader does."""
    if len(delimiter) > 1:
        return line.split(delimiter)
    try:
        return next(csv.reader([line], delimiter=delimiter), [""])
    except csv.Error:  # A field too long for that module, or an odd quote.
        return line.split(delimiter)


def short(value: object) -> str:
    """Returns `value` for a message, shortened to a line."""
    return _SHORT.repr(value)


_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_SHORT.maxlist = _SHORT.maxtuple = _SHORT.maxdict = 40


def _named_twice(names: Sequence[str], used: Iterable[int | None]) -> list[str]:
    """Returns the names of used columns that another column has, too."""
    named = {names[p] for p in used if p is not None and p < len(names)}
    return sorted(name for name in named if list(names).count(name) > 1)


def _twice(names: list[str]) -> str:
    return (
        "each column that is used must have a name of its own; "
        f"{short(names)} stand there more than once."
    )


def _positions(row: Sequence[str]) -> tuple[str, ...]:
    return tuple(str(i) for i in range(len(row)))


def _guess_delimiter(lines: Sequence[str], path: str) -> str:
    """Returns the delimiter that splits two lines into equally many, most fields."""
    name = files.unpacked_name(path)
    if name.endswith((".tsv", ".data", ".inter")) and "\t" in lines[0]:
        return "\t"
    if "::" in lines[0]:
        return "::"

    def fit(delimiter: str) -> tuple[bool, int]:
        counts = [len(split(line, delimiter)) for line in lines[:2]]
        return counts[0] == counts[-1] and counts[0] > 1, counts[0]

    return max((",", *DELIMITERS), key=fit)


def _has_header(
    rows: Sequence[Sequence[str]], path: str, reading: config.ReadingConfig
) -> bool:
    if reading.header is False and reading.columns.user == AUTO:
        _check_first_column(rows, path)
    if reading.header != "auto":
        return reading.header
    asked = dict(reading.columns).values()
    if any(isinstance(value, str) and value != AUTO for value in asked):
        return True
    if sum(common.key(field) in common.KNOWN for field in rows[0]) >= 2:
        return True
    if reading.columns.user == AUTO:
        _check_first_column(rows, path)
    if _looks_like_header(rows, _by_position(rows[0], reading.columns)):
        example = f"--set data.columns.user={rows[0][0].strip()[:30]}"
        raise ValueError(
            f"{path}, line 1: {short(list(rows[0]))} looks like a header with names "
            "that are not known. Name them in `data.columns` (user, item and, if there "
            f"are any, rating and timestamp), on the command line as `{example}`, or "
            "set `data.header: false` if this is data."
        )
    return False


def _check_first_column(rows: Sequence[Sequence[str]], path: str) -> None:
    """Raises ValueError if the first column of a file without header holds times."""

    def usual_time(field: str) -> bool:
        if _ANY_DATE.fullmatch(field):
            return True
        number = float(field) if _NUMBER.fullmatch(field) else 0.0
        return any(low <= number < high for low, high in _USUAL_TIMES)

    first = [row[0] for row in rows if row]
    others = [is_time(field) for field in rows[0][1:]]
    if all(map(usual_time, first)) and not any(others):
        raise ValueError(
            f"{path}, line 1: there is no header, and the first column, "
            f"{short(first[0])}, looks like a time, where a user is expected. Say "
            "where things stand, counted from 0: `data.columns.user`, "
            "`data.columns.item`, `data.columns.timestamp`; or `data.columns.user: 0` "
            "if these are users."
        )


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
    found: dict[str, int | None] = {}
    for role in (*ROLES, "title"):
        wanted = getattr(columns, role)
        if wanted is None or isinstance(wanted, int):
            found[role] = wanted
        elif wanted == AUTO:
            found[role] = common.find(role, names)
        elif wanted in names:
            found[role] = list(names).index(wanted)
        else:
            keys = [common.key(name) for name in names]
            wanted = common.key(wanted)
            found[role] = keys.index(wanted) if wanted in keys else None
    return found


def _by_position(
    row: Sequence[str], columns: config.ColumnsConfig
) -> dict[str, int | None]:
    roles = list(ROLES)
    if len(row) == 3 and is_time(row[2]):
        roles.remove("rating")
    usual = {role: i for i, role in enumerate(roles) if i < len(row)}
    given = {r: v for r, v in dict(columns).items() if isinstance(v, int)}
    if given.keys() & set(ROLES):  # Then only user and item are guessed.
        usual = {r: usual[r] for r in ("user", "item") if r in usual}
    absent = {r for r, v in dict(columns).items() if v is None}
    usual = {r: p for r, p in usual.items() if r not in absent}
    return {role: (usual | given).get(role) for role in (*ROLES, "title")}


def is_time(field: str) -> bool:
    """Returns whether a field is an ISO 8601 date, or a number from 1973 on."""
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
    for role in (*ROLES, "title"):
        position, wanted = found[role], getattr(reading.columns, role)
        needed = wanted not in (None, AUTO) or role in ("user", "item")
        if position is None and needed:
            asked = f"named {short(wanted)} " if wanted not in (None, AUTO) else ""
            raise ValueError(
                f"{where}: there must be a column {asked}for `{role}`; the file has "
                f"{short(list(names))}. Set `data.columns.{role}` to one of these."
            )
        if position is not None and position >= len(names):
            raise ValueError(
                f"{where}: `data.columns.{role}` is position {position}, counted from "
                f"0, but a row has {len(names)} fields."
            )
    taken = {r: p for r, p in found.items() if p is not None and r != "title"}
    if len(set(taken.values())) < len(taken):
        raise ValueError(
            f"{where}: each column can serve one purpose; got "
            f"{short({r: names[p] for r, p in taken.items()})}. Set `data.columns`."
        )
    if reading.min_rating is not None and found["rating"] is None:
        raise ValueError(
            f"{where}: `data.min_rating` needs ratings, but none of the columns "
            f"{short(list(names))} is a rating. Set `data.columns.rating` or drop the "
            "filter."
        )
    return Layout(delimiter=delimiter, has_header=has_header, names=names, **found)
