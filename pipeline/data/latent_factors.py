"""Draws synthetic interactions with structure that a recommender can learn.

Items have Zipf popularity; users and items have latent factors. A user's items are
drawn without replacement with weights popularity * exp(affinity): the n smallest of
independent exponentials divided by their weights (Efraimidis and Spirakis, "Weighted
random sampling with a reservoir", 2006).
"""

import os
import pathlib
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from pipeline.data import synthetic

_BLOCK_VALUES = 1 << 21  # So many pairs of user and item are drawn at a time.
_ROW_GROUP = 1 << 19
_SAMPLED = 16  # One of so many values is sampled to estimate the smallest.
_AFFINITY = 1.5  # The standard deviation of the log weight.
_START = 1_420_070_400  # 2015-01-01 UTC
_SPAN = 2 * 365 * 86_400
# The streams of the generators: no kind of draw depends on another.
_ITEMS, _USERS, _ACTIVITY, _DRAWS = range(4)


def write(
    config: synthetic.SyntheticConfig,
    path: pathlib.Path,
    *,
    progress: Callable[[int], None] = lambda rows: None,
) -> None:
    """Writes the interactions as Parquet, block by block, in constant memory.

    The columns are `user_id` and `item_id`, int32 from 0; `rating`, float32, 1 to 5;
    and `timestamp`, int64, seconds. Rows are sorted by user, then by time. The file
    appears when it is whole.

    Args:
        config: the size and the seed of the data.
        path: the file; its folder must exist.
        progress: called with the number of rows of each block.
    """
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    try:
        with parquet.ParquetWriter(partial, schema(), compression="zstd") as writer:
            for rows in row_groups(config):
                writer.write_table(rows)
                progress(rows.num_rows)
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def interactions_per_user(config: synthetic.SyntheticConfig) -> np.ndarray:
    """Returns how many interactions each user has, int64 [num_users], log-normal."""
    room = config.num_items // 2 - synthetic.MIN_PER_USER
    left = config.num_interactions - synthetic.MIN_PER_USER * config.num_users
    weights = _generator(config, _ACTIVITY).lognormal(size=config.num_users)
    extra = np.zeros(config.num_users, np.int64)
    while left:  # Until no user has more than the maximum.
        open_users = np.flatnonzero(extra < room)
        share = weights[open_users] / weights[open_users].sum() * left
        # The remainder of rounding down goes to the first users, one each.
        given = np.floor(share).astype(np.int64)
        given[: left - given.sum()] += 1
        given = np.minimum(given, room - extra[open_users])
        extra[open_users] += given
        left -= int(given.sum())
    return extra + synthetic.MIN_PER_USER


def schema() -> pa.Schema:
    """Returns the columns of the tables."""
    return pa.schema(
        [
            ("user_id", pa.int32()),
            ("item_id", pa.int32()),
            ("rating", pa.float32()),
            ("timestamp", pa.int64()),
        ]
    )


def _generator(config: synthetic.SyntheticConfig, *stream: int) -> np.random.Generator:
    return np.random.default_rng([config.seed, *stream])


def row_groups(config: synthetic.SyntheticConfig) -> Iterator[pa.Table]:
    """Yields the interactions in tables of about `_ROW_GROUP` rows, by user."""
    pending: list[pa.RecordBatch] = []
    for batch in _blocks(config):
        pending.append(batch)
        if sum(map(len, pending)) >= _ROW_GROUP:
            yield pa.Table.from_batches(pending).combine_chunks()
            pending = []
    if pending:
        yield pa.Table.from_batches(pending).combine_chunks()


def _blocks(config: synthetic.SyntheticConfig) -> Iterator[pa.RecordBatch]:
    """Yields the rows of some users at a time."""
    counts = interactions_per_user(config)
    items = _generator(config, _ITEMS)
    shape = (config.num_items, config.num_factors)
    factors = items.standard_normal(shape, np.float32)
    ranks = 1.0 + items.permutation(config.num_items)
    log_popularity = (-config.popularity_exponent * np.log(ranks)).astype(np.float32)
    tastes = _generator(config, _USERS).standard_normal(
        (config.num_users, config.num_factors), np.float32
    )
    tastes *= _AFFINITY / np.sqrt(config.num_factors)

    step = max(1, _BLOCK_VALUES // config.num_items)
    for start in range(0, config.num_users, step):
        users = range(start, min(start + step, config.num_users))
        affinity = tastes[users.start : users.stop] @ factors.T
        weights = np.exp(affinity + log_popularity)
        rows = [
            _draw_user(config, user, counts[user], weights[i], affinity[i])
            for i, user in enumerate(users)
        ]
        columns = [
            np.repeat(np.asarray(users, np.int32), counts[users.start : users.stop])
        ]
        columns += [np.concatenate(column) for column in zip(*rows, strict=True)]
        yield pa.RecordBatch.from_arrays(list(map(pa.array, columns)), schema=schema())


def _draw_user(
    config: synthetic.SyntheticConfig,
    user: int,
    count: int,
    weights: np.ndarray,
    affinity: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns one user's items int32, ratings float32 and times int64, each [count]."""
    rng = _generator(config, _DRAWS, user)
    race = rng.standard_exponential(config.num_items, np.float32) / weights
    # Popular items come first in the draw, but the times must not show that.
    items = rng.permutation(_smallest(race, count)).astype(np.int32)
    noise = rng.standard_normal(count, np.float32)
    ratings = np.clip(np.rint(3.5 + 0.5 * affinity[items] + noise), 1, 5)
    first = _START + rng.integers(_SPAN)
    days = 1 + rng.exponential(30.0)
    times = first + np.sort(rng.integers(0, int(days * 86_400), size=count))
    return items, ratings.astype(np.float32), times


def _smallest(values: np.ndarray, count: int) -> np.ndarray:
    """Returns the places of the `count` smallest values, ascending."""
    places = np.arange(len(values))
    # The bound leaves twice as many values as wanted, by the estimate of a sample.
    sample = values[::_SAMPLED]
    wanted = 2 * count // _SAMPLED + _SAMPLED
    if wanted < len(sample):
        likely = np.flatnonzero(values <= np.partition(sample, wanted)[wanted])
        if len(likely) >= count:
            places = likely
    return np.sort(places[np.argpartition(values[places], count - 1)[:count]])
