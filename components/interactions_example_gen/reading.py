"""Reads interactions in blocks of columns, and says exactly which rows are at fault."""

import contextlib
import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet

from components.interactions_example_gen import files, layout, values
from components.interactions_example_gen.config import ReadingConfig

BLOCK_BYTES = 1 << 24
BATCH_ROWS = 500_000
FIELD_COUNT = "wrong_number_of_fields"
SHOWN = 10  # bad rows told of
_SEPARATOR = b"\x1f"  # stands for `::`, as the parser takes one byte
_RULES = {
    "not_utf8": "must be UTF-8 text",
    "blank": "must not be blank",
    "rating": "must be a finite number",
    "timestamp": "must be a time from 1970 to 9999, a number or an ISO 8601 date",
}


class NoRowsError(ValueError):
    """A file is empty, or has nothing but a header."""


@dataclasses.dataclass(frozen=True)
class BadRow:
    """A row that cannot be read: its line (row, for Parquet) from 1, and why."""

    line: int
    kind: str
    message: str


@dataclasses.dataclass(frozen=True)
class Block:
    """Rows of one file, in the file's order.

    Attributes:
        rows: `user` and `item` string, `time` int64 in microseconds since 1970 (0
            where the file has no times), and `rating` float32 if the file has ratings.
        rows_read: those in `rows` and those skipped.
        skipped: rows left out, by kind.
        bad_rows: the first of them.
    """

    rows: pa.RecordBatch
    rows_read: int
    skipped: Counter[str]
    bad_rows: list[BadRow]


def check_input(
    path: str, reading: ReadingConfig, *, pattern: str = "*"
) -> layout.Layout:
    """Reads the first block of the first file; for use before a pipeline is built.

    Args:
        path: a file or a folder of files.
        reading: how to read it.
        pattern: glob inside the folder.

    Returns:
        The layout found.

    Raises:
        ValueError: nothing to read, or the first block cannot be read. Later blocks
            are not looked at.
    """
    first, found = first_layout(files.find(path, pattern), reading)
    next(read_blocks(first, reading, block_bytes=1 << 20))
    return found


def first_layout(
    paths: Sequence[str], reading: ReadingConfig
) -> tuple[str, layout.Layout]:
    """Returns the first file and its layout; the others must have the same roles.

    Raises:
        ValueError: it has no rows, unless `bad_rows` is `skip` and another has some;
            or its layout is not clear.
    """
    *others, last = paths
    for path in others:
        with contextlib.suppress(*[NoRowsError] if reading.bad_rows == "skip" else []):
            return path, find_layout(path, reading)
    return last, find_layout(last, reading)


def find_layout(path: str, reading: ReadingConfig) -> layout.Layout:
    """Returns the layout of one file; see `layout.of_text` for what it raises."""
    if path.endswith(".parquet"):
        return layout.of_parquet(_open_parquet(path).schema_arrow.names, path, reading)
    for _, text in _text_blocks(path, 1):
        lines = [x for x in text.split(b"\n", 50)[:50] if x]
        if lines:
            return layout.of_text(_decode(lines, path), path, reading)
    raise _no_rows(path)


def read_blocks(
    path: str, reading: ReadingConfig, *, block_bytes: int = BLOCK_BYTES
) -> Iterator[Block]:
    """Yields the interactions of one file.

    Args:
        path: `.parquet`, or text, which may be packed as `.gz`.
        reading: how to read it.
        block_bytes: of text per block. Makes no difference to the rows.

    Raises:
        ValueError: the file as a whole cannot be read, has no rows, or, unless
            `reading.bad_rows` is `skip`, one row cannot.
    """
    found = find_layout(path, reading)
    if path.endswith(".parquet"):
        blocks = _read_parquet(path, reading, found)
    else:
        blocks = _read_text(path, reading, found, block_bytes)
    any_rows = False
    for block in blocks:
        any_rows = True
        yield block
    if not any_rows:
        raise _no_rows(path)


def _no_rows(path: str) -> NoRowsError:
    return NoRowsError(
        f"{path}: must hold interactions, but there is no row of data in it. "
        "Check how the file was written, or remove it."
    )


def _read_text(
    path: str, reading: ReadingConfig, found: layout.Layout, block_bytes: int
) -> Iterator[Block]:
    header_ahead = found.has_header
    for first_line, text in _text_blocks(path, block_bytes):
        if header_ahead:
            blank = len(text) - len(text.lstrip(b"\n"))
            _, _, rest = text[blank:].partition(b"\n")
            header_ahead = blank == len(text)
            first_line, text = first_line + blank + 1, rest
        if not text.strip(b"\n"):
            continue
        columns, faults = _parse(text, first_line, path, found)
        lines = _Lines(text, first_line, faults)
        yield _block(columns, lines.of_row, lines.faults(), path, reading, found)


def _parse(
    text: bytes, first_line: int, path: str, found: layout.Layout
) -> tuple[dict[str, pa.Array], dict[int, str]]:
    """Returns role -> column of bytes, and the rows left out: number from 1 -> why."""
    faults: dict[int, str] = {}

    def leave_out(row: csv.InvalidRow) -> str:
        faults[row.number] = (
            f"a row must have {row.expected_columns} fields, split at "
            f"{found.delimiter!r}; got {row.actual_columns}"
        )
        return "skip"

    wanted = {role: str(getattr(found, role)) for role in found.columns()}
    names = list(wanted.values())
    delimiter = found.delimiter
    if len(delimiter) > 1:
        text, delimiter = text.replace(delimiter.encode(), _SEPARATOR), "\x1f"
    table = csv.read_csv(
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
    if found.quoting and b'"' in text:
        _check_quotes(text, first_line, path, table.num_rows + len(faults))
    columns = {r: table.column(n).combine_chunks() for r, n in wanted.items()}
    return columns, faults


def _check_quotes(text: bytes, first_line: int, path: str, rows: int) -> None:
    """Raises if a quoted value goes on over a line's end: rows would be swallowed."""
    lines = text.split(b"\n")
    if rows == sum(1 for line in lines if line):
        return
    open_line = next(i for i, line in enumerate(lines) if line.count(b'"') % 2)
    raise ValueError(
        f"{path}, line {first_line + open_line}: a double quote must be closed on its "
        f"own line; got {_shown(lines[open_line])}. Close it, or write it twice "
        "if it belongs to the value."
    )


class _Lines:
    """Tells the line of a row, in a block from which blank and bad lines are gone."""

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


def _read_parquet(
    path: str, reading: ReadingConfig, found: layout.Layout
) -> Iterator[Block]:
    names = found.columns()
    file = _open_parquet(path)
    _check_parquet_types(file.schema_arrow, path, names)
    done = 0
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=list(names.values())):
            columns = {
                r: batch.column(batch.schema.names.index(n)) for r, n in names.items()
            }
            locate = functools.partial(np.add, done + 1)
            done += batch.num_rows
            yield _block(columns, locate, [], path, reading, found)
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged_parquet(path, error) from error


def _open_parquet(path: str) -> parquet.ParquetFile:
    try:
        return parquet.ParquetFile(files.open_binary(path))
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged_parquet(path, error) from error


def _damaged_parquet(path: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: must be a complete Parquet file; {error}. Fetch or write it again."
    )


def _check_parquet_types(schema: pa.Schema, path: str, names: dict[str, str]) -> None:
    for role, name in names.items():
        kind = schema.field(name).type
        kind = kind.value_type if pa.types.is_dictionary(kind) else kind
        text = any(
            getattr(pa.types, f"is_{form}")(kind)
            for form in ("string", "large_string", "binary", "large_binary", "null")
        )
        number = any(
            getattr(pa.types, f"is_{form}")(kind) for form in ("floating", "decimal")
        )
        allowed = text or pa.types.is_integer(kind)
        if role in ("rating", "timestamp"):
            allowed |= number
        if role == "timestamp":
            allowed |= pa.types.is_timestamp(kind) or pa.types.is_date(kind)
        if not allowed:
            rule = "strings or integers" if role in ("user", "item") else "numbers"
            raise ValueError(
                f"{path}, column {name!r}: `{role}` must be {rule}; it is {kind}. "
                "Cast the column when you write the file."
            )


def _block(
    columns: dict[str, pa.Array],
    locate: Callable[[np.ndarray], np.ndarray],
    faults: Sequence[tuple[int, str]],
    path: str,
    reading: ReadingConfig,
    found: layout.Layout,
) -> Block:
    """Casts the columns and leaves out, or refuses, the rows at fault."""
    users, user_masks = values.parse_ids(columns["user"])
    items, item_masks = values.parse_ids(columns["item"])
    masks = [("user", kind, mask) for kind, mask in user_masks.items()]
    masks += [("item", kind, mask) for kind, mask in item_masks.items()]
    fields = {"user": users, "item": items, "time": np.zeros(len(users), np.int64)}
    if "rating" in columns:
        ratings, bad = values.parse_ratings(columns["rating"])
        fields["rating"] = ratings.astype(np.float32)
        masks.append(("rating", "rating", bad))
    if "timestamp" in columns:
        fields["time"], bad = values.parse_times(
            columns["timestamp"], reading.timestamp_unit
        )
        masks.append(("timestamp", "timestamp", bad))

    rows = pa.RecordBatch.from_arrays(
        [pa.array(f) if isinstance(f, np.ndarray) else f for f in fields.values()],
        names=list(fields),
    )
    at_fault = np.any([mask for _, _, mask in masks], axis=0)
    skipped: Counter[str] = Counter()
    bad_rows: list[BadRow] = []
    if faults or at_fault.any():
        skipped, bad_rows = _faulty(columns, masks, locate, faults, path, found)
        if reading.bad_rows == "error":
            raise ValueError(
                f"{bad_rows[0].message}. Correct the row, or set `data.bad_rows: skip` "
                "to leave such rows out and count them."
            )
        rows = rows.filter(pa.array(~at_fault))
    return Block(rows, len(users) + len(faults), skipped, bad_rows)


def _faulty(
    columns: dict[str, pa.Array],
    masks: Sequence[tuple[str, str, np.ndarray]],
    locate: Callable[[np.ndarray], np.ndarray],
    faults: Sequence[tuple[int, str]],
    path: str,
    found: layout.Layout,
) -> tuple[Counter[str], list[BadRow]]:
    """Returns how many rows are at fault by kind, and the first of them by line.

    A row at fault in several ways counts once, for the first of `masks`.
    """
    unit = "line" if found.delimiter else "row"
    skipped = Counter({FIELD_COUNT: len(faults)} if faults else {})
    bad_rows = [
        BadRow(line, FIELD_COUNT, f"{path}, {unit} {line}: {why}")
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
        for row, line in zip(rows.tolist(), locate(rows).tolist(), strict=True):
            value = _shown(columns[role][row].as_py())
            message = (
                f"{path}, {unit} {line}, column {found.describe(role)}: "
                f"{_RULES[rule]}; got {value}"
            )
            bad_rows.append(BadRow(line, kind, message))
    return skipped, sorted(bad_rows, key=lambda bad: bad.line)[:SHOWN]


def _shown(value: object) -> str:
    """Returns a value as it is put into a message: text if it can be, and not long."""
    if isinstance(value, bytes):
        try:
            value = value.decode()
        except UnicodeDecodeError:
            return repr(value[:60])
    return repr(value[:60] if isinstance(value, str) else value)


def _text_blocks(path: str, block_bytes: int) -> Iterator[tuple[int, bytes]]:
    """Yields (number of its first line, whole lines ending in LF), in order."""
    line = 1
    pending = bytearray()
    for number, piece in enumerate(files.read_pieces(path)):
        if number == 0:
            piece = _without_mark(piece, path)
        pending += piece
        if len(pending) < block_bytes:
            continue
        # A CR at the very end may be half of a CR LF.
        end = max(pending.rfind(b"\n"), pending.rfind(b"\r", 0, -1)) + 1
        if end:
            text = _normal(bytes(pending[:end]))
            del pending[:end]
            yield line, text
            line += text.count(b"\n")
    if pending:
        yield line, _normal(bytes(pending))


def _normal(text: bytes) -> bytes:
    """Returns `text` with LF after each line."""
    if b"\r" not in text:
        return text
    return text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def _without_mark(piece: bytes, path: str) -> bytes:
    """Drops UTF-8's byte order mark; refuses UTF-16 and binary files."""
    if b"\0" in piece[:1000]:
        raise ValueError(
            f"{path}: must be UTF-8 text, but there are zero bytes in it: UTF-16, or "
            "no text at all. Convert it (`iconv -f UTF-16 -t UTF-8`)."
        )
    return piece.removeprefix(b"\xef\xbb\xbf")


def _decode(lines: Sequence[bytes], path: str) -> list[str]:
    """Decodes the lines the layout is told from; later ones may be at fault."""
    try:
        first = lines[0].decode()
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{path}, line 1: must be UTF-8 text; got {lines[0][:60]!r}. Convert the "
            "file, for example with `iconv -f LATIN1 -t UTF-8`."
        ) from error
    return [first, *(line.decode(errors="replace") for line in lines[1:])]
