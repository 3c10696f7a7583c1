"""Reads interactions in blocks of columns, and names the rows that cannot be read."""

import codecs
import contextlib
import csv as standard_csv
import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import csv

from components.interactions_example_gen import (
    faults,
    files,
    layout,
    tables,
    text_blocks,
    values,
)
from components.interactions_example_gen.config import ReadingConfig
from components.interactions_example_gen.faults import BadRow, Mask, RowSource

BLOCK_BYTES = 1 << 24
_SEPARATOR = b"\x1f"  # Replaces `::`, since the parser takes one byte.
_LOOKED_AT = 50  # The layout is found from so many lines.


class NoRowsError(ValueError):
    """A file is empty, or has nothing but a header."""


# A function from places in a block to the lines (or rows) of the file.
Lines = Callable[[np.ndarray], np.ndarray]
Missing = list[tuple[int, str]]  # (line, why) of rows without the right fields


@dataclasses.dataclass(frozen=True)
class RowBlock:
    """Rows of one file, in the file's order.

    Attributes:
        rows: `user` and `item` string, `time` int64 in microseconds since 1970 (0
            where the file has no times), and `rating` float32 if the file has ratings.
        rows_read: how many rows were read, the skipped ones included.
        skipped: how many rows were left out, by kind.
        bad_rows: the first rows that were left out.
    """

    rows: pa.RecordBatch
    rows_read: int
    skipped: Counter[str]
    bad_rows: list[BadRow]


def check_input(
    path: str, reading: ReadingConfig, *, pattern: str = "*"
) -> layout.Layout:
    """Reads the first block of the first file, to fail before a pipeline is built.

    Args:
        path: a file or a folder of files.
        reading: how to read it.
        pattern: glob inside the folder.

    Returns:
        The layout found.

    Raises:
        ValueError: there is no file, or the first block cannot be read. Later blocks
            are not read.
    """
    first, found = first_layout(files.find(path, pattern), reading)
    next(read_blocks(first, reading, block_bytes=1 << 20))
    return found


def first_layout(
    paths: Sequence[str], reading: ReadingConfig
) -> tuple[str, layout.Layout]:
    """Returns the first file with rows, and its layout.

    Raises:
        ValueError: a file is empty, unless `bad_rows` is `skip` and another file has
            rows; or the layout cannot be found.
    """
    *others, last = paths
    for path in others:
        with contextlib.suppress(*[NoRowsError] if reading.bad_rows == "skip" else []):
            return path, find_layout(path, reading)
    return last, find_layout(last, reading)


def find_layout(path: str, reading: ReadingConfig) -> layout.Layout:
    """Returns the layout of one file; see `layout.of_text` for what it raises."""
    if path.lower().endswith(files.PARQUET):
        return layout.of_table(tables.parquet_names(path), path, reading)
    lines = first_lines(path)
    if files.unpacked_name(path).endswith(files.JSON_LINES):
        return layout.of_table(tables.json_names(lines, path), path, reading)
    return layout.of_text(lines, path, reading)


def check_roles(path: str, reading: ReadingConfig, roles: list[str]) -> None:
    """Raises ValueError if a file does not have the same `roles` as the first."""
    own = list(find_layout(path, reading).columns())
    if own != roles:
        raise ValueError(
            f"{path}: all files must have the columns of the first, {roles}; "
            f"this one has {own}. Read them one by one, or add the column."
        )


def first_lines(path: str) -> list[str]:
    """Returns the first lines of a text file that are not blank.

    Raises:
        NoRowsError: all lines are blank.
        ValueError: the lines are not UTF-8 text.
    """
    for _, text in text_blocks.read(path, 1):
        lines = [x for x in text.split(b"\n", _LOOKED_AT)[:_LOOKED_AT] if x]
        if lines:
            return text_blocks.decode(lines, path)
    raise _no_rows(path)


def read_blocks(
    path: str, reading: ReadingConfig, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[RowBlock]:
    """Yields the interactions of one file.

    Args:
        path: `.parquet`, `.jsonl` or other text, which may be packed.
        reading: how to read it.
        block_bytes: how many bytes of text a block has. The rows do not depend on it.

    Raises:
        ValueError: the file as a whole cannot be read, or has no rows; or a row cannot
            be read, unless `reading.bad_rows` is `skip`.
    """
    found = find_layout(path, reading)
    any_rows = False
    for columns, lines, missing in read_columns(
        path, found, found.columns(), block_bytes
    ):
        any_rows = True
        yield _block(columns, missing, RowSource(path, found, lines), reading)
    if not any_rows:
        raise _no_rows(path)


def read_columns(
    path: str,
    found: layout.Layout,
    columns: dict[str, str],
    block_bytes: int = BLOCK_BYTES,
) -> Iterator[tuple[dict[str, pa.Array], Lines, Missing]]:
    """Yields blocks of columns with the values as they are in the file.

    Args:
        path: of the file.
        found: the file's layout.
        columns: role -> name of the column.
        block_bytes: how many bytes of text a block has.

    Yields:
        role -> values; a function from places in the values to lines (or rows); and the
        rows that are missing in the values, with the reason.
    """
    if path.lower().endswith(files.PARQUET):
        rows = tables.read_parquet(path, columns)
    elif not found.is_text:
        rows = tables.read_json(path, columns, block_bytes)
    else:
        yield from _read_text(path, found, columns, block_bytes)
        return
    for values_of, lines in rows:
        yield values_of, lines, []


def _no_rows(path: str) -> NoRowsError:
    return NoRowsError(
        f"{path}: must hold interactions, but there is no row of data in it. "
        "Check how the file was written, or remove it."
    )


def _read_text(
    path: str, found: layout.Layout, columns: dict[str, str], block_bytes: int
) -> Iterator[tuple[dict[str, pa.Array], Lines, Missing]]:
    header_ahead = found.has_header
    for first_line, text in text_blocks.read(path, block_bytes):
        if header_ahead:
            blank = len(text) - len(text.lstrip(b"\n"))
            _, _, rest = text[blank:].partition(b"\n")
            header_ahead = blank == len(text)
            first_line, text = first_line + blank + 1, rest
        if not text.strip(b"\n"):
            continue
        parsed, left_out = _parse(text, first_line, path, found, columns)
        lines = _Lines(text, first_line, left_out)
        yield parsed, lines.of_row, lines.faults()


def _parse(
    text: bytes,
    first_line: int,
    path: str,
    found: layout.Layout,
    columns: dict[str, str],
) -> tuple[dict[str, pa.Array], dict[int, str]]:
    """Returns role -> column of bytes, and row number from 1 -> why it is left out."""
    left_out: dict[int, str] = {}

    def leave_out(row: csv.InvalidRow) -> str:
        left_out[row.number] = (
            f"a row must have {row.expected_columns} fields, split at "
            f"{found.delimiter!r}; got {row.actual_columns}"
        )
        return "skip"

    wanted = {role: str(getattr(found, role)) for role in columns}
    delimiter = found.delimiter
    if len(delimiter) > 1:
        text, delimiter = text.replace(delimiter.encode(), _SEPARATOR), "\x1f"
    names = sorted(set(wanted.values()))
    if text.startswith(codecs.BOM_UTF8):  # Arrow drops one, here a part of an id.
        text = codecs.BOM_UTF8 + text
    if not _is_utf8(text):  # Arrow decodes a row with the wrong number of fields.
        text = _decodable(text, delimiter, len(found.names))
    try:
        table = _read_csv(text, delimiter, found, names, leave_out)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path}, in the lines from {first_line} on: {error}"
        ) from None
    if found.quoting and b'"' in text:
        rows = table.num_rows + len(left_out)
        _check_quotes(text, first_line, path, rows=rows, delimiter=delimiter)
    return {r: table.column(n).combine_chunks() for r, n in wanted.items()}, left_out


def _read_csv(
    text: bytes,
    delimiter: str,
    found: layout.Layout,
    names: list[str],
    leave_out: Callable[[csv.InvalidRow], str],
) -> pa.Table:
    # csv.read_csv would search all objects of the process once a call, for PyArrow's
    # signal handlers under Python 3.10: tenths of a second where TensorFlow is loaded.
    reader = csv.open_csv(
        pa.BufferReader(text),
        csv.ReadOptions(
            use_threads=False,
            block_size=len(text) + 1,
            column_names=[str(i) for i in range(len(found.names))],
        ),
        csv.ParseOptions(
            delimiter=delimiter,
            quote_char='"' if found.quoting else False,
            invalid_row_handler=leave_out,
        ),
        csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.binary()),
            include_columns=names,
            strings_can_be_null=False,
            check_utf8=False,
        ),
    )
    return reader.read_all()


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


def _decodable(text: bytes, delimiter: str, fields: int) -> bytes:
    """Returns `text` with valid UTF-8 in lines with a wrong number of fields."""
    lines = text.split(b"\n")
    for i, line in enumerate(lines):
        plain = line.decode(errors="replace")
        if len(layout.split(plain, delimiter)) != fields:
            lines[i] = plain.encode()
    return b"\n".join(lines)


def _check_quotes(
    text: bytes, first_line: int, path: str, *, rows: int, delimiter: str
) -> None:
    """Raises ValueError if a quoted value spans lines, which would swallow rows.

    In the last line of a file that was cut off, a quote that is never closed does, too.
    """
    lines = text.split(b"\n")
    full = [i for i, line in enumerate(lines) if line]
    if rows == len(full):
        if not _ends_quoted(lines[full[-1]], delimiter):
            return
        open_line = full[-1]
    else:
        odd = (i for i in full if lines[i].count(b'"') % 2)
        open_line = next(odd, 0)
    raise ValueError(
        f"{path}, line {first_line + open_line}: a double quote must be closed on its "
        f"own line; got {layout.short(lines[open_line].decode(errors='replace'))}. "
        "Close it, or write it twice if it belongs to the value."
    )


def _ends_quoted(line: bytes, delimiter: str) -> bool:
    """Returns whether a value is still open at the end of the line."""
    if b'"' not in line:
        return False
    reader = standard_csv.reader(
        [line.decode(errors="replace") + "\n", "\n"], delimiter=delimiter
    )
    try:
        next(reader)
    except standard_csv.Error:  # A field longer than it takes.
        return False
    return reader.line_num > 1


class _Lines:
    """Finds the line of a row in a block without its blank and bad lines."""

    def __init__(self, text: bytes, first_line: int, faults: dict[int, str]) -> None:
        self._text, self._first_line, self._faults = text, first_line, faults

    def _not_blank(self) -> np.ndarray:
        ends = np.flatnonzero(np.frombuffer(self._text + b"\n", np.uint8) == ord("\n"))
        return self._first_line + np.flatnonzero(np.diff(ends, prepend=-1) > 1)

    def of_row(self, rows: np.ndarray) -> np.ndarray:
        left_out = np.array(list(self._faults), np.int64) - 1
        return np.delete(self._not_blank(), left_out)[rows]

    def faults(self) -> list[tuple[int, str]]:
        """Returns (line, why) of each row that was left out."""
        if not self._faults:
            return []
        lines = self._not_blank()
        return [(int(lines[n - 1]), why) for n, why in self._faults.items()]


def _block(
    columns: dict[str, pa.Array],
    missing: Missing,
    place: RowSource,
    reading: ReadingConfig,
) -> RowBlock:
    """Casts the columns, and leaves out or refuses rows that cannot be read."""
    fields: dict[str, pa.Array | np.ndarray] = {}
    masks: list[Mask] = []
    for role in ("user", "item"):
        fields[role], of_rule = values.parse_ids(columns[role])
        masks += [Mask(role, rule, rows) for rule, rows in of_rule.items()]
    fields["time"] = np.zeros(len(columns["user"]), np.int64)
    if "rating" in columns:
        fields["rating"], bad = values.parse_ratings(columns["rating"], reading.decimal)
        masks.append(Mask("rating", "rating", bad))
    if "timestamp" in columns:
        fields["time"], bad = values.parse_times(
            columns["timestamp"],
            reading.timestamp_unit,
            reading.timestamp_format,
            reading.decimal,
        )
        masks.append(Mask("timestamp", "timestamp", bad))

    rows = pa.RecordBatch.from_arrays(
        [pa.array(f) if isinstance(f, np.ndarray) else f for f in fields.values()],
        names=list(fields),
    )
    at_fault = np.any([mask.rows for mask in masks], axis=0)
    skipped: Counter[str] = Counter()
    bad_rows: list[BadRow] = []
    if missing or at_fault.any():
        skipped, bad_rows = faults.describe(columns, masks, missing, place)
        if reading.bad_rows == "error":
            raise faults.refusal(columns, masks, bad_rows[0], reading)
        rows = rows.filter(pa.array(~at_fault))
    return RowBlock(rows, len(at_fault) + len(missing), skipped, bad_rows)
