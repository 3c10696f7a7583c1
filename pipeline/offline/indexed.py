"""Reads interactions as users with item indices, without TFX and Beam.

This module does in memory what InteractionsExampleGen and Transform do on Beam, by the
same rules.
"""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from absl import logging

from components.interactions_example_gen import files, grouping, reading
from components.interactions_example_gen.config import ReadingConfig
from components.negative_sampling.records import Users
from ncf_model.sampling.ragged import Ragged

_MICROSECONDS = 1_000_000


@dataclasses.dataclass(frozen=True)
class Indexed:
    """All users with their items, and the raw ids of the indices.

    Attributes:
        users: the users in the order of their indices.
        item_ids: [N] raw ids of items by index.
        has_times: whether the input has times; the order of rows replaces them if not.
    """

    users: Users
    item_ids: list[bytes]
    has_times: bool = True


def read(path: str, config: ReadingConfig, *, pattern: str = "*") -> Indexed:
    """Reads, groups and indexes the interactions of a file or of a folder of files.

    Raises:
        ValueError: the input cannot be read, the filters leave no user, or an id has a
            line break, which Transform's vocabularies do not allow either.
    """
    rows, has_times = _read_rows(path, pattern, config)
    grouped, dropped = grouping.group(rows, config)
    if not len(grouped.user_ids):
        raise ValueError(
            "There must be at least one user with interactions; none is left of "
            f"{sum(map(len, rows))} rows ({dropped}). Loosen the filters `data.*`."
        )
    seconds = grouped.times // _MICROSECONDS
    if not has_times:  # The order of the rows replaces the times.
        starts = np.repeat(grouped.offsets[:-1], np.diff(grouped.offsets))
        seconds = np.arange(len(seconds)) - starts
    user_ids, user_index = _vocabulary(grouped.user_ids)
    item_ids, item_index = _vocabulary(grouped.item_ids)
    order = np.argsort(user_index)
    users = Users(
        user_ids,
        np.arange(len(user_ids)),
        Ragged(item_index, grouped.offsets).take(order),
        Ragged(seconds, grouped.offsets).take(order).values,
    )
    logging.info(
        "Read %d users, %d items, %d interactions; dropped: %s.",
        *(len(user_ids), len(item_ids), len(item_index), dropped),
    )
    return Indexed(users, item_ids, has_times)


def _read_rows(
    path: str, pattern: str, config: ReadingConfig
) -> tuple[list[pa.RecordBatch], bool]:
    """Returns the rows in input order, and whether they have times."""
    paths = files.find(path, pattern)
    _, found = reading.first_layout(paths, config)
    roles = list(found.columns())
    rows = [block for file in paths for block in _blocks(file, config, roles)]
    return rows, found.timestamp is not None


def _blocks(
    file: str, config: ReadingConfig, roles: list[str]
) -> Iterator[pa.RecordBatch]:
    """Yields the rows of one file, whose columns must be `roles`."""
    try:
        own = list(reading.find_layout(file, config).columns())
        if own != roles:
            raise ValueError(
                f"{file}: all files must have the columns of the first, {roles}; "
                f"this one has {own}. Read them one by one, or add the column."
            )
        for block in reading.read_blocks(file, config):
            for bad in block.bad_rows:
                logging.warning("Left out: %s", bad.message)
            yield block.rows
    except reading.NoRowsError:
        if config.bad_rows != "skip":
            raise
        logging.warning("%s has no rows.", file)


def _vocabulary(values: pa.Array) -> tuple[list[bytes], np.ndarray]:
    """Returns the distinct ids, most frequent first, and the index of every value.

    Equally frequent ids are in descending order of their bytes, as in Transform's
    vocabularies.
    """
    encoded = values.dictionary_encode()
    ids = encoded.dictionary.cast(pa.binary()).to_pylist()
    broken = next((i for i in ids if b"\n" in i or b"\r" in i), None)
    if broken is not None:
        raise ValueError(
            f"An id must be one line; got {broken!r}. Replace its line breaks."
        )
    codes = encoded.indices.to_numpy()
    counts = np.bincount(codes, minlength=len(ids)).tolist()
    order = sorted(range(len(ids)), key=lambda i: (counts[i], ids[i]), reverse=True)
    place = np.empty(len(ids), np.int64)
    place[order] = np.arange(len(ids))
    return [ids[i] for i in order], place[codes]
