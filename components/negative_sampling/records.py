"""Converts batches of users from Arrow to NumPy arrays, and records to Arrow."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from ncf_model import features
from ncf_model.sampling.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Users:
    """A batch of users.

    Attributes:
        user_ids: [U] raw ids.
        user_index: [U] int64, the users' indices in the vocabulary.
        items: each user's item indices, by time.
        timestamps: [values of `items`] int64, seconds since 1970.
    """

    user_ids: list[bytes]
    user_index: np.ndarray
    items: Ragged
    timestamps: np.ndarray

    def take(self, index: np.ndarray) -> "Users":
        """Returns the users number `index`, [R] int64, in that order."""
        times = Ragged(self.timestamps, self.items.offsets)
        return Users(
            [self.user_ids[number] for number in index],
            self.user_index[index],
            self.items.take(index),
            times.take(index).values,
        )


def read_users(batch: pa.RecordBatch, columns: dict[str, str]) -> Users:
    """Reads a batch of transformed examples.

    Args:
        batch: one row per user, every column a list.
        columns: the name of the column of each feature.

    Raises:
        ValueError: a user does not have exactly one id and one index, or does not have
            as many times as items.
    """
    ids = _flat(batch, columns[features.USER_ID])
    index = _ragged(batch, columns[features.USER_INDEX])
    items = _ragged(batch, columns[features.ITEM_INDICES])
    times = _ragged(batch, columns[features.TIMESTAMPS])
    if len(ids) != batch.num_rows or (index.sizes != 1).any():
        raise ValueError(
            "Every record must have one `user_id` and one `user_index`; a batch of "
            f"{batch.num_rows} records has {len(ids)} and {len(index.values)}."
        )
    if (items.offsets != times.offsets).any():
        user = int(np.flatnonzero(items.sizes != times.sizes)[0])
        raise ValueError(
            f"User {ids[user].as_py()!r} has {items.sizes[user]} items but "
            f"{times.sizes[user]} timestamps; there must be one for each."
        )
    return Users(ids.to_pylist(), index.values, items, times.values)


def check_users(users: Users, *, num_items: int) -> None:
    """Raises ValueError if a user has an unknown item, or an item twice."""
    items = users.items
    unknown = np.flatnonzero((items.values < 0) | (items.values >= num_items))
    if len(unknown):
        user = users.user_ids[items.row_of_value[unknown[0]]]
        raise ValueError(
            f"User {user!r} has item index {items.values[unknown[0]]}, but the "
            f"vocabulary ends at {num_items - 1}: the id is unknown to it. Give "
            "`transform_graph` and `transformed_examples` of the same Transform."
        )
    keys = np.sort(items.row_of_value * num_items + items.values)
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        row, item = divmod(int(keys[twice[0]]), num_items)
        raise ValueError(
            f"User {users.user_ids[row]!r} has item index {item} twice. Merge repeated "
            "interactions first, as InteractionsExampleGen does."
        )


def record_batch(columns: dict[str, pa.Array]) -> pa.RecordBatch:
    """Returns a batch of records, from list columns by feature name."""
    return pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))


def int_lists(rows: Ragged) -> pa.Array:
    """Returns a column of int64 lists."""
    values = pa.array(rows.values.astype(np.int64, copy=False))
    return pa.LargeListArray.from_arrays(pa.array(rows.offsets), values)


def single_ints(values: np.ndarray) -> pa.Array:
    """Returns a column of one int64 each."""
    return int_lists(Ragged(values, np.arange(len(values) + 1)))


def raw_ids(rows: Ragged, vocabulary: pa.Array) -> pa.Array:
    """Returns rows of indices as a column of lists of raw ids."""
    return bytes_lists(vocabulary.take(pa.array(rows.values)), rows.offsets)


def bytes_lists(values: pa.Array, offsets: np.ndarray) -> pa.Array:
    """Returns a column of lists of bytes."""
    return pa.LargeListArray.from_arrays(pa.array(offsets), values)


def single_bytes(values: Sequence[bytes]) -> pa.Array:
    """Returns a column of one string of bytes each."""
    return bytes_lists(pa.array(values, pa.large_binary()), np.arange(len(values) + 1))


def _flat(batch: pa.RecordBatch, name: str) -> pa.Array:
    return _column(batch, name).flatten()


def _ragged(batch: pa.RecordBatch, name: str) -> Ragged:
    column = _column(batch, name)
    offsets = column.offsets.to_numpy().astype(np.int64)
    values = column.flatten().to_numpy(zero_copy_only=False)
    return Ragged(values, offsets - offsets[0])


def _column(batch: pa.RecordBatch, name: str) -> pa.Array:
    place = batch.schema.get_field_index(name)
    if place < 0 or batch.column(place).null_count:
        raise ValueError(
            f"Every record must have the feature {name!r}; the batch has "
            f"{batch.schema.names}. Was it written by `ncf_model.preprocessing`?"
        )
    return batch.column(place)
