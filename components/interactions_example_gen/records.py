"""Turns users into serialized Examples, always with the same bytes."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from tfx_bsl.coders import example_coder

from components.interactions_example_gen import grouping
from ncf_model import features

_USERS_AT_A_TIME = 1024


def to_examples(users: grouping.GroupedUsers, *, has_times: bool) -> Iterator[bytes]:
    """Yields one serialized `tf.train.Example` per user.

    Args:
        users: U users.
        has_times: whether the data have times; without, the times are 0, 1, ... in
            input order.
    """
    seconds = users.times // 1_000_000
    if not has_times:
        starts = np.repeat(users.offsets[:-1], np.diff(users.offsets))
        seconds = np.arange(len(seconds)) - starts
    singly = np.arange(len(users.user_ids) + 1)
    columns = {
        features.USER_ID: (users.user_ids.cast(pa.large_binary()), singly),
        features.ITEM_IDS: (users.item_ids.cast(pa.large_binary()), users.offsets),
        features.TIMESTAMPS: (pa.array(seconds), users.offsets),
    }
    if users.ratings is not None:
        columns[features.RATINGS] = (pa.array(users.ratings), users.offsets)
    batch = pa.RecordBatch.from_pydict(
        {
            name: pa.LargeListArray.from_arrays(pa.array(offsets), values)
            for name, (values, offsets) in columns.items()
        }
    )
    encoder = example_coder.RecordBatchToExamplesEncoder()
    for start in range(0, len(batch), _USERS_AT_A_TIME):
        yield from map(in_order, encoder.encode(batch.slice(start, _USERS_AT_A_TIME)))


def in_order(example: bytes) -> bytes:
    """Returns a serialized Example with its features in the order of their names.

    The encoder writes a map in an order that differs from call to call. The order here
    is that of `SerializeToString(deterministic=True)`.

    Args:
        example: an Example with `features`, and nothing else.
    """
    _, place = _number(example, 1)  # After the tag of `features` and its length.
    header, entries = example[:place], []
    while place < len(example):
        size, start = _number(example, place + 1)
        key_size, key = _number(example, start + 1)
        entries.append((example[key : key + key_size], example[place : start + size]))
        place = start + size
    return header + b"".join(entry for _, entry in sorted(entries))


def _number(text: bytes, place: int) -> tuple[int, int]:
    """Returns the varint at `place`, and where it ends."""
    value = shift = 0
    while True:
        byte = text[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7
