"""Writes files of lists: Parquet, CSV or JSON lines, on a disk or in a bucket."""

import contextlib
import io
import json
import os
import types
from collections.abc import Iterator
from typing import Any, Protocol
from urllib import parse

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv, parquet

from ncf_model.serving import list_tables


class _TableWriter(Protocol):
    def write_table(self, table: pa.Table) -> None: ...
    def close(self) -> None: ...


class _JsonLines:
    """Writes a JSON object per line, put together column by column."""

    def __init__(self, file: Any, schema: pa.Schema) -> None:
        self._file = file
        # `{"user_id": `, `, "rank": `, ..., and the end of the line.
        opened = [f"{json.dumps(name)}: " for name in schema.names]
        self._between = ["{" + opened[0], *(f", {name}" for name in opened[1:]), "}\n"]

    def write_table(self, table: pa.Table) -> None:
        parts: list[Any] = [self._between[0]]
        for column, after in zip(table.columns, self._between[1:], strict=True):
            parts += [_json(column.combine_chunks()), after]
        lines = pc.binary_join_element_wise(*parts, "")
        if len(lines):
            # Arrow's buffer of the text has all lines in a row.
            offsets = np.frombuffer(lines.buffers()[1], np.int32)
            start, end = offsets[lines.offset], offsets[lines.offset + len(lines)]
            self._file.write(memoryview(lines.buffers()[2])[start:end])

    def close(self) -> None:
        """Does nothing, as all lines are written already."""


def _json(column: Any) -> Any:
    """Returns the values as JSON; equal texts are encoded once.

    NaN and infinities, which JSON does not have, become null.
    """
    if not pa.types.is_string(column.type):
        return pc.if_else(pc.is_finite(column), column.cast(pa.string()), "null")
    coded = column.dictionary_encode()
    encode = json.JSONEncoder(ensure_ascii=False).encode
    texts = [encode(text) for text in coded.dictionary.to_pylist()]
    return pa.array(texts, pa.string()).take(coded.indices)


_WRITERS = {
    ".parquet": parquet.ParquetWriter,
    ".csv": csv.CSVWriter,
    ".jsonl": _JsonLines,
}


class _RemoteFile(io.RawIOBase):
    """A file in a bucket that Arrow can write to; TensorFlow does the writing."""

    def __init__(self, name: str) -> None:
        from pipeline import start_up

        self._tf = start_up.import_tensorflow()
        self._file = self._tf.io.gfile.GFile(name, "wb")

    def writable(self) -> bool:
        """Returns True."""
        return True

    def write(self, data: Any) -> int:
        """Writes all of `data`; returns the number of bytes."""
        with self._told():
            self._file.write(bytes(data))
        return len(data)

    def close(self) -> None:
        """Writes the rest and closes the file; a second call does nothing."""
        if not self.closed:
            super().close()
            with self._told():
                self._file.close()

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        """Raises TensorFlow's errors as OSError."""
        try:
            yield
        except self._tf.errors.OpError as error:
            raise OSError(f"{self._file.name}: {error.message}") from error


class ListFiles:
    """Writes tables into `shards` files, which get their names at the end.

    Attributes:
        names: of the files.
    """

    def __init__(self, output: str, shards: int) -> None:
        """Checks the output; no file is opened yet.

        Raises:
            ValueError: the output's form is unknown, `shards` is below 1, or the output
                is a URL of a file on another machine.
        """
        output = _local_path(output)
        stem, self._form = os.path.splitext(output)
        if self._form not in _WRITERS:
            raise ValueError(
                f"The output must end in one of {', '.join(_WRITERS)}; got {output!r}."
            )
        if shards < 1:
            raise ValueError(f"`shards` must be >= 1; got {shards}.")
        self._remote = "://" in output
        self.names = [
            f"{stem}-{i:05}-of-{shards:05}{self._form}" if shards > 1 else output
            for i in range(shards)
        ]
        self._stack = contextlib.ExitStack()
        self._writers: list[_TableWriter] = []

    def __enter__(self) -> "ListFiles":
        with contextlib.ExitStack() as stack:
            for name in self.names:
                file = stack.enter_context(self._open(name))
                writer = _WRITERS[self._form](file, list_tables.SCHEMA)
                stack.callback(writer.close)
                self._writers.append(writer)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: types.TracebackType | None,
    ) -> None:
        self._stack.close()
        if self._remote:
            return
        for name in self.names:
            if kind is None:
                os.replace(_partial(name), name)
            else:
                os.remove(_partial(name))

    def write(self, shard: int, table: pa.Table) -> None:
        """Adds `table` to a file."""
        self._writers[shard].write_table(table)

    def _open(self, name: str) -> Any:
        if self._remote:
            return _RemoteFile(name)
        os.makedirs(os.path.dirname(os.path.abspath(name)), exist_ok=True)
        return open(_partial(name), "wb")


def _local_path(output: str) -> str:
    """Returns the path of a URL `file:...`, and any other output as it is."""
    url = parse.urlsplit(output)
    if url.scheme != "file":
        return output
    if url.netloc not in ("", "localhost"):
        raise ValueError(
            f"{output!r} names the machine {url.netloc!r}; a path on this one is "
            "written with three slashes: file:///folder/lists.csv."
        )
    return parse.unquote(url.path)


def _partial(name: str) -> str:
    return f"{name}.partial"
