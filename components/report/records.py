"""Reads the data that the report shows from the records of earlier nodes."""

import dataclasses
import hashlib
from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import tensorflow as tf

from ncf_model import features
from ncf_model.training import data

_BATCH = 2048


@dataclasses.dataclass(frozen=True)
class Histories:
    """The interactions of users.

    Attributes:
        sizes: [users] int64, how many interactions each user has, in the order of the
            records.
        times: the earliest and the latest time, seconds since 1970; None without a
            record.
        items: the raw ids of the items of each wanted user, by time; the keys are the
            users' raw ids.
    """

    sizes: np.ndarray
    times: tuple[int, int] | None
    items: dict[bytes, list[bytes]]


def read_histories(pattern: str, wanted: Collection[bytes]) -> Histories:
    """Reads the split `interactions` of InteractionsExampleGen.

    Args:
        pattern: of the files of the split; there may be none.
        wanted: raw ids of the users whose items are kept.
    """
    spec = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.string),
        features.TIMESTAMPS: tf.io.RaggedFeature(tf.int64),
    }
    sizes, bounds = [np.empty(0, np.int64)], []
    items: dict[bytes, list[bytes]] = {}
    for batch in _batches(pattern):
        parsed = tf.io.parse_example(batch, spec)
        times = parsed[features.TIMESTAMPS]
        sizes.append(times.row_lengths().numpy())
        if len(values := times.values.numpy()):
            bounds += [int(values.min()), int(values.max())]
        user_ids = parsed[features.USER_ID].numpy()
        for user_id, record in zip(user_ids, batch.numpy(), strict=True):
            if user_id in wanted:
                items[user_id] = _bytes(record, features.ITEM_IDS)
    return Histories(
        np.concatenate(sizes), (min(bounds), max(bounds)) if bounds else None, items
    )


def count_items(pattern: str) -> np.ndarray:
    """Returns how many users have each item, from the split `train`, [items] int64.

    Args:
        pattern: of the files of the split; there may be none.
    """
    if not tf.io.gfile.glob(pattern):
        return np.empty(0, np.int64)
    interactions = data.load_interactions([pattern])
    return np.bincount(
        np.concatenate(
            [
                interactions.positives.values,
                interactions.validation_items.values,
                interactions.eval_items.values,
            ]
        )
    )


def some_lists(pattern: str, count: int) -> list[tuple[bytes, list[bytes], bytes]]:
    """Returns lists of different users; the choice does not depend on the order.

    Args:
        pattern: of the files of the split `eval`; there may be none.
        count: how many lists; fewer if there are not so many users.

    Returns:
        For each list the user's raw id, the raw ids of the candidates, and the record.
    """
    spec = {features.USER_ID: tf.io.FixedLenFeature([], tf.string)}
    chosen: dict[bytes, tuple[bytes, bytes]] = {}  # User -> key and record.
    for batch in _batches(pattern):
        user_ids = tf.io.parse_example(batch, spec)[features.USER_ID].numpy()
        for user_id, record in zip(user_ids, batch.numpy(), strict=True):
            key = hashlib.blake2b(user_id, digest_size=8).digest()
            chosen[user_id] = min(chosen.get(user_id, (key, record)), (key, record))
        if len(chosen) > 4 * count:
            chosen = _first(chosen, count)
    return [
        (user_id, _bytes(record, features.CANDIDATE_IDS), record)
        for user_id, (_, record) in _first(chosen, count).items()
    ]


def baskets(pattern: str) -> Iterator[tuple[bytes, list[bytes]]]:
    """Yields the held-out item and the items before it, of users held out whole.

    Args:
        pattern: of the files of the split `held_out_users`; there may be none.
    """
    for batch in _batches(pattern):
        for record in batch.numpy():
            (item,) = _bytes(record, features.CANDIDATE_IDS)
            yield item, _bytes(record, features.SEEN_IDS)


def _first(
    chosen: dict[bytes, tuple[bytes, bytes]], count: int
) -> dict[bytes, tuple[bytes, bytes]]:
    return dict(sorted(chosen.items(), key=lambda item: item[1])[:count])


def _bytes(record: bytes, name: str) -> list[bytes]:
    example = tf.train.Example.FromString(record)
    return list(example.features.feature[name].bytes_list.value)


def _batches(pattern: str) -> Iterator[Any]:
    files = sorted(tf.io.gfile.glob(pattern))
    if files:
        yield from tf.data.TFRecordDataset(files, "GZIP").batch(_BATCH)
