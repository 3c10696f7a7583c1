"""Writes training rows and lists as Parquet, one row per (user, item)."""

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
class ParquetFiles:
    """Writes into a folder; has the methods of `official.OfficialFiles`."""

    folder: pathlib.Path

    def write_epoch(self, epoch: int, users: np.ndarray, items: np.ndarray) -> None:
        """Writes an epoch's users [G] and items [G, 1 + n], the positive first.

        `train/epoch_<epoch>.parquet` has the columns `user_id`, `item_id`, `label` (0
        or 1) and `epoch` (from 0).
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
        """Writes `<name>.parquet`; returns how many lists there are.

        The columns are `user_id`, `item_id` and `held_out`. A list begins where
        `held_out` is True, and ends before the next such row. Short lists are not
        filled up.
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
        """Returns {}, because Parquet has no batches."""
        return {}


def _first_only(shape: tuple[int, ...]) -> np.ndarray:
    """Returns an array that is True in the first column, [rows, width] bool."""
    marks = np.zeros(shape, bool)
    marks[:, 0] = True
    return marks


def _table(columns: tuple[np.ndarray, ...], schema: pa.Schema) -> pa.Table:
    arrays = [
        pa.array(values.astype(kind.to_pandas_dtype()), kind)
        for values, kind in zip(columns, schema.types, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=schema)
