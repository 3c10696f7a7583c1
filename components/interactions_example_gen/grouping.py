"""Turns rows into users: partitions, sorts by time, merges repeats, filters.

All of it is NumPy on whole columns, without a loop over rows.
"""

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.interactions_example_gen import report
from components.interactions_example_gen.config import ReadingConfig


@dataclasses.dataclass(frozen=True, kw_only=True)
class GroupedUsers:
    """Users and their interactions, user after user.

    Attributes:
        user_ids: string [U].
        offsets: int64 [U + 1]; user `u` has the rows `offsets[u]:offsets[u + 1]`.
        item_ids: string [P], each user's items by time, ties in input order.
        times: int64 [P], microseconds since 1970.
        ratings: float32 [P], or None if the input has none.
    """

    user_ids: pa.Array
    offsets: np.ndarray
    item_ids: pa.Array
    times: np.ndarray
    ratings: np.ndarray | None


def partition(
    rows: pa.RecordBatch, num_partitions: int
) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Splits rows so that all rows of a user, of any block, are in one partition.

    Args:
        rows: as in `reading.RowBlock`.
        num_partitions: 1 or more.

    Yields:
        (partition, its rows in order), for each partition that has rows.
    """
    if num_partitions == 1:
        if len(rows):
            yield 0, rows
        return
    users = rows.column("user").dictionary_encode()
    hashes = report.stable_hashes(users.dictionary.to_pylist())
    of_user = (hashes % np.uint64(num_partitions)).astype(np.int64)
    of_row = of_user[users.indices.to_numpy()]
    order = np.argsort(of_row, kind="stable")
    bounds = np.searchsorted(of_row[order], np.arange(num_partitions + 1))
    for number in range(num_partitions):
        chosen = order[bounds[number] : bounds[number + 1]]
        if len(chosen):
            yield number, rows.take(pa.array(chosen))


def group(
    chunks: Sequence[pa.RecordBatch], reading: ReadingConfig
) -> tuple[GroupedUsers, dict[str, int]]:
    """Groups the rows of one partition by user.

    This function does, in this order: drop rows with a rating below `min_rating`; sort
    each user's rows by time, ties in input order; keep the first row of each (user,
    item) pair; drop users with fewer than `min_interactions` or more than
    `max_interactions` items.

    Args:
        chunks: rows in input order.
        reading: the filters.

    Returns:
        The users, in order of first appearance, and how many were dropped:
        `rows_below_min_rating`, `duplicates_dropped`, `users_dropped_by_filter`.
    """
    rows = pa.Table.from_batches(chunks).combine_chunks()
    total = rows.num_rows
    rows = rated_high_enough(rows, reading.min_rating)
    dropped = {"rows_below_min_rating": total - rows.num_rows}
    users, items = _codes(rows, "user"), _codes(rows, "item")
    times = rows.column("time").to_numpy()

    user_codes, item_codes = users.indices.to_numpy(), items.indices.to_numpy()
    order = np.lexsort((times, user_codes))
    kept = order[_first_of_each_pair(user_codes[order], item_codes[order])]
    dropped["duplicates_dropped"] = len(order) - len(kept)

    counts = np.bincount(user_codes[kept], minlength=len(users.dictionary))
    stays = counts >= reading.min_interactions
    stays &= counts <= (reading.max_interactions or np.inf)
    dropped["users_dropped_by_filter"] = int(len(stays) - stays.sum())
    kept = kept[stays[user_codes[kept]]]
    rated = "rating" in rows.column_names
    grouped = GroupedUsers(
        user_ids=users.dictionary.filter(pa.array(stays)),
        offsets=np.concatenate([[0], np.cumsum(counts[stays])]),
        item_ids=items.dictionary.take(pa.array(item_codes[kept])),
        times=times[kept],
        ratings=rows.column("rating").to_numpy()[kept] if rated else None,
    )
    return grouped, dropped


def rated_high_enough(rows: pa.Table, min_rating: float | None) -> pa.Table:
    """Returns the rows whose rating is not below `min_rating`; all if that is None."""
    if min_rating is None:
        return rows
    # Compared in float32, the type of the ratings, so that 3.3 is not below 3.3.
    limit = pa.scalar(np.float32(min_rating), pa.float32())
    return rows.filter(pc.greater_equal(rows.column("rating"), limit))


def _codes(rows: pa.Table, name: str) -> pa.DictionaryArray:
    """Returns the column with each value as a number, in order of first appearance."""
    encoded = rows.column(name).combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = pa.concat_arrays(encoded.chunks)
    return encoded.dictionary_encode()


def _first_of_each_pair(users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Returns whether a (user, item) pair is there for the first time, bool [n]."""
    pairs = users.astype(np.int64) << 32 | items
    _, first = np.unique(pairs, return_index=True)
    keep = np.zeros(len(pairs), bool)
    keep[first] = True
    return keep
