"""Reads files whose columns have names: Parquet, and JSON with an object per line."""

import functools
import io
import json
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import json as arrow_json
from pyarrow import parquet

from components.interactions_example_gen import files, layout, text_blocks

BATCH_ROWS = 500_000

# Role -> column, and a function from places in it to row numbers (in JSON, lines).
Rows = tuple[dict[str, pa.Array], Callable[[np.ndarray], np.ndarray]]


def parquet_names(path: str) -> list[str]:
    """Returns the names of the columns of a Parquet file."""
    return list(_open_parquet(path).schema_arrow.names)


def first_rows(path: str, count: int = 50) -> list[dict[str, Any]]:
    """Returns the first rows of a Parquet file, column -> value."""
    try:
        for batch in _open_parquet(path).iter_batches(count):
            return list(batch.to_pylist())
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _damaged_parquet(path, error) from error
    return []


def read_parquet(path: str, columns: dict[str, str]) -> Iterator[Rows]:
    """Yields the rows of a Parquet file.

    Args:
        path: of the file.
        columns: role -> name of the column.

    Raises:
        ValueError: the file is damaged, or a column cannot serve its role.
    """
    file = _open_parquet(path)
    _check_types(file.schema_arrow, path, columns)
    done = 0
    names = sorted(set(columns.values()))
    try:
        for batch in file.iter_batches(BATCH_ROWS, columns=names):
            batch.validate(full=True)  # Nobody looked whether text is UTF-8.
            found = {
                r: batch.column(batch.schema.names.index(n)) for r, n in columns.items()
            }
            yield found, functools.partial(np.add, done + 1)
            done += batch.num_rows
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged_parquet(path, error) from error


def json_names(lines: list[str], path: str) -> list[str]:
    """Returns the keys of the first objects, in order of appearance.

    The `id` of an object `user` has the key `user.id`.
    """
    objects = [
        json_object(line, f"{path}, line {i}") for i, line in enumerate(lines, 1)
    ]
    return list(dict.fromkeys(name for found in objects for name in found))


def json_object(line: str, where: str = "") -> dict[str, Any]:
    """Returns the object of one line, with inner objects taken out of their places.

    Example:
        >>> json_object('{"user": {"id": 7, "from": {"country": "DE"}}, "item": 3}')
        {'user.id': 7, 'user.from.country': 'DE', 'item': 3}

    Raises:
        ValueError: the line is no object; the message begins with `where`.
    """
    try:
        found = json.loads(line)
        flat = dict(_flat(found)) if isinstance(found, dict) else None
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{where}: must be a JSON object; {error}.") from None
    if flat is None:
        raise ValueError(f"{where}: must be a JSON object; got {layout.short(found)}.")
    return flat


def _flat(found: dict[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{before}{name}.")
        else:
            yield before + name, value


def read_json(path: str, columns: dict[str, str], block_bytes: int) -> Iterator[Rows]:
    """Yields the rows of a file with one JSON object per line; see `read_parquet`."""
    options = arrow_json.ParseOptions(newlines_in_values=False)
    for first_line, text in text_blocks.read(path, block_bytes):
        if not text.strip():
            continue
        try:
            table = arrow_json.read_json(
                io.BytesIO(text),
                arrow_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
                options,
            )
        except pa.ArrowInvalid as error:
            raise ValueError(
                f"{path}, in the lines from {first_line} on: must be one JSON object "
                f"per line, with values of one kind per key; {error}."
            ) from None
        while any(map(pa.types.is_struct, table.schema.types)):
            table = table.flatten()  # As `json_object` does.
        try:
            there = table.column_names
        except UnicodeDecodeError as error:
            raise ValueError(
                f"{path}, in the lines from {first_line} on: keys must be UTF-8 text; "
                f"{error}."
            ) from None
        absent = pa.nulls(table.num_rows, pa.string())
        found = {
            role: _whole(table.column(there.index(name))) if name in there else absent
            for role, name in columns.items()
        }
        kinds = {role: column.type for role, column in found.items()}
        schema = pa.schema([(columns[role], kind) for role, kind in kinds.items()])
        _check_types(schema, path, columns)
        yield found, functools.partial(_line, text, first_line)


def _whole(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return pa.concat_arrays(whole.chunks) if hasattr(whole, "chunks") else whole


def _line(text: bytes, first_line: int, rows: np.ndarray) -> np.ndarray:
    ends = np.flatnonzero(np.frombuffer(text + b"\n", np.uint8) == ord("\n"))
    return (first_line + np.flatnonzero(np.diff(ends, prepend=-1) > 1))[rows]


def _open_parquet(path: str) -> parquet.ParquetFile:
    try:
        file = parquet.ParquetFile(files.open_binary(path))
        _ = file.schema_arrow.names  # Made of bytes when they are asked for.
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise _damaged_parquet(path, error) from error
    return file


def _damaged_parquet(path: str, error: Exception) -> ValueError:
    return ValueError(
        f"{path}: must be a complete Parquet file; {error}. Fetch or write it again."
    )


def _check_types(schema: pa.Schema, path: str, columns: dict[str, str]) -> None:
    for role, name in columns.items():
        if role == "title":  # A title is only shown, so any type will do.
            continue
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
            rule = (
                "numbers" if role in ("rating", "timestamp") else "strings or integers"
            )
            raise ValueError(
                f"{path}, column {layout.short(name)}: `{role}` must be {rule}; it is "
                f"{kind}. Cast the column when you write the file."
            )
