"""Training rows and ranked lists as Parquet, one row per (user, item)."""

import dataclasses
import pathlib
from collections.abc import Iterable

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pipeline.offline.rows import ListBlock

_TRAINING = pa.schema(
    {
        "user_id": pa.int32(),
        "item_id": pa.int32(),
        "label": pa.int8(),
        "epoch": pa.int32(),
    }
)
_LISTS = pa.schema(
    {"user_id": pa.int32(), "item_id": pa.int32(), "held_out": pa.bool_()}
)


@dataclasses.dataclass(frozen=True)
class Files:
    """Where things are written; the same methods as `official.Files`."""

    folder: pathlib.Path

    def write_epoch(self, epoch: int, users: np.ndarray, items: np.ndarray) -> None:
        """Writes an epoch's users [G] and items [G, 1 + n], the positive first.

        Columns of `train/epoch_<epoch>.parquet`: `user_id`, `item_id`, `label` (0 or
        1), `epoch` (from 0).
        """
        folder = self.folder / "train"
        folder.mkdir(exist_ok=True)
        columns = (
            np.repeat(users, items.shape[1]),
            items.ravel(),
            _first_only(items.shape).ravel(),
            np.full(items.size, epoch),
        )
        path = folder / f"epoch_{epoch}.parquet"
        parquet.write_table(_table(columns, _TRAINING), path, compression="zstd")

    def write_lists(self, name: str, lists: Iterable[ListBlock]) -> int:
        """Writes `<name>.parquet`; returns how many lists.

        Columns: `user_id`, `item_id`, `held_out`. A list begins where `held_out` is
        True and goes on to the next such row. Short lists are as short as they are.
        """
        written = 0
        path = self.folder / f"{name}.parquet"
        with parquet.ParquetWriter(path, _LISTS, compression="zstd") as writer:
            for part in lists:
                written += len(part.users)
                kept = ~part.masked
                users = np.repeat(part.users[:, None], kept.shape[1], axis=1)
                columns = (users[kept], part.items[kept], _first_only(kept.shape)[kept])
                writer.write_table(_table(columns, _LISTS))
        return written

    def steps(self, *, train_rows: int, eval_rows: int) -> dict[str, int]:
        """Returns nothing: a row is a row, there are no batches."""
        return {}


def _first_only(shape: tuple[int, ...]) -> np.ndarray:
    """Marks the first column, [rows, width] bool."""
    marks = np.zeros(shape, bool)
    marks[:, 0] = True
    return marks


def _table(columns: tuple[np.ndarray, ...], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(values.astype(kind.to_pandas_dtype()), kind)
        for values, kind in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
