"""From NegativeSampling's records to the rows of an epoch."""

import concurrent.futures
import dataclasses
import typing
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ncf_model import config, features
from ncf_model.sampling import negatives as negatives_module

_BATCH = 4096
# Rows drawn at a time: bounds the copy of them that the sampler returns.
_DRAW_ROWS = 1 << 21
_USERS_TAKEN = 1 << 13


@dataclasses.dataclass(frozen=True)
class Lists:
    """A list of integers per user, flat.

    Attributes:
        values: [P] int32.
        offsets: [U + 1] int64; user u has `values[offsets[u]:offsets[u + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """How many values each user has, [U] int64."""
        return np.diff(self.offsets)

    def take(self, order: np.ndarray) -> "Lists":
        """Returns the lists of users `order`, in that order."""
        sizes, starts = self.sizes[order], self.offsets[order]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        values = np.empty(offsets[-1], self.values.dtype)
        # Some users at a time: the places of all values take six times their memory.
        for first in range(0, len(order), _USERS_TAKEN):
            last = min(first + _USERS_TAKEN, len(order))
            start, end = offsets[first], offsets[last]
            shift = starts[first:last] - (offsets[first:last] - start)
            places = np.arange(end - start) + np.repeat(shift, sizes[first:last])
            values[start:end] = self.values[places]
        return Lists(values, offsets)

    def spread(self, index: np.ndarray, size: int) -> "Lists":
        """Returns `size` lists: user number j's becomes that of `index[j]`, in order.

        Args:
            index: [U], strictly increasing, below `size`; the other lists are empty.
            size: how many lists there shall be.
        """
        sizes = np.zeros(size, np.int64)
        sizes[index] = self.sizes
        return Lists(self.values, np.concatenate([[0], np.cumsum(sizes)]))

    def append(self, other: "Lists") -> "Lists":
        """Returns each user's values followed by those of `other`."""
        both = Lists(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]]),
        )
        users = len(self.sizes)
        pairs = both.take(
            np.stack([np.arange(users), users + np.arange(users)], 1).ravel()
        )
        return Lists(pairs.values, pairs.offsets[::2])


@dataclasses.dataclass(frozen=True)
class Interactions:
    """The split `train`, sorted by user index.

    Attributes:
        user_ids: [U] raw ids.
        user_index: [U] int32.
        positives: by time.
        validation_items: kept out of training until the refit.
        eval_items: never trained on.
        negatives: materialised, [epochs * p * num_negatives] a user; None in streaming.
        refit_negatives: as `negatives`, for positives followed by validation items.
    """

    user_ids: list[bytes]
    user_index: np.ndarray
    positives: Lists
    validation_items: Lists
    eval_items: Lists
    negatives: Lists | None = None
    refit_negatives: Lists | None = None


def load_interactions(
    patterns: Sequence[str], *, materialised: bool = False
) -> Interactions:
    """Reads the split `train`.

    Users are sorted by index, so that neither the number of files nor the order in
    which workers wrote them changes the training.

    Raises:
        ValueError: there are no files or no positives.
    """
    names = [features.POSITIVES, features.VALIDATION_ITEMS, features.EVAL_ITEMS]
    if materialised:
        names += [features.NEGATIVES, features.REFIT_NEGATIVES]
    spec = {name: tf.io.RaggedFeature(tf.int64) for name in names}
    spec[features.USER_ID] = tf.io.FixedLenFeature([], tf.string)
    spec[features.USER_INDEX] = tf.io.FixedLenFeature([], tf.int64)
    batches = list(_parsed(patterns, spec))
    users = sum(len(batch[features.USER_ID]) for batch in batches)
    if not any(len(batch[features.POSITIVES].values) for batch in batches):
        raise ValueError(
            f"There is nothing to train on: none of {users} users in {list(patterns)} "
            "has a positive. Check NegativeSampling's counts."
        )
    index = np.concatenate([batch[features.USER_INDEX] for batch in batches])
    order = np.argsort(index, kind="stable")
    user_ids = np.concatenate([batch[features.USER_ID] for batch in batches])
    lists = {name: _joined(batches, name).take(order) for name in names}
    return Interactions(
        user_ids=user_ids[order].tolist(),
        user_index=index[order].astype(np.int32),
        positives=lists[features.POSITIVES],
        validation_items=lists[features.VALIDATION_ITEMS],
        eval_items=lists[features.EVAL_ITEMS],
        negatives=lists.get(features.NEGATIVES),
        refit_negatives=lists.get(features.REFIT_NEGATIVES),
    )


def load_lists(patterns: Sequence[str]) -> tuple[list[bytes], list[list[bytes]]]:
    """Reads the split `validation`: user ids, and each one's candidates.

    Both are raw ids; the held-out item comes first. There may be none at all.
    """
    spec = {
        features.USER_ID: tf.io.FixedLenFeature([], tf.string),
        features.CANDIDATE_IDS: tf.io.RaggedFeature(tf.string),
    }
    user_ids: list[bytes] = []
    candidates: list[list[bytes]] = []
    for batch in _parsed(patterns, spec):
        user_ids += batch[features.USER_ID].tolist()
        candidates += batch[features.CANDIDATE_IDS].to_list()
    return user_ids, candidates


def _parsed(patterns: Sequence[str], spec: dict) -> Iterator[dict]:
    """Yields batches of parsed records: NumPy arrays and ragged tensors."""
    files = sorted(path for p in patterns for path in tf.io.gfile.glob(p))
    if not files:
        raise ValueError(
            f"No file matches {list(patterns)}. Did NegativeSampling write its splits?"
        )
    records = tf.data.TFRecordDataset(files, "GZIP", num_parallel_reads=None)
    parsed = records.batch(_BATCH).map(lambda batch: tf.io.parse_example(batch, spec))
    for batch in parsed.prefetch(1):
        yield {
            name: value if isinstance(value, tf.RaggedTensor) else value.numpy()
            for name, value in batch.items()
        }


def _joined(batches: list[dict], name: str) -> Lists:
    values = [batch[name].values.numpy().astype(np.int32) for batch in batches]
    sizes = np.concatenate([batch[name].row_lengths().numpy() for batch in batches])
    return Lists(np.concatenate(values), np.concatenate([[0], np.cumsum(sizes)]))


class EpochRows:
    """The training rows of any epoch, in groups: a positive and its negatives."""

    def __init__(
        self,
        interactions: Interactions,
        settings: config.SamplingConfig,
        *,
        num_items: int,
        seed: int,
        refit: bool = False,
    ) -> None:
        """Prepares drawing.

        Args:
            interactions: whom to train on.
            settings: how negatives come about.
            num_items: size of the item vocabulary.
            seed: of negatives and of the order of rows.
            refit: counts the validation items among the positives.
        """
        self._seed = seed
        self._settings = settings
        positives = interactions.positives
        if refit:
            positives = positives.append(interactions.validation_items)
        self.positives = positives
        self._users = np.repeat(interactions.user_index, positives.sizes)
        self._stored = interactions.refit_negatives if refit else interactions.negatives
        if settings.mode == "streaming":
            self._sampler = negatives_module.NegativeSampler(
                positives.values,
                positives.offsets,
                negatives_module.user_keys(interactions.user_ids, seed),
                num_items=num_items,
                weights=_weights(interactions.positives, settings, num_items),
            )

    def __len__(self) -> int:
        """Groups in an epoch: one per positive."""
        return len(self._users)

    def draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns an epoch's users [G] and items [G, 1 + num_negatives], int32.

        Column 0 is the positive. Groups are shuffled; order and negatives depend on
        (seed, epoch) alone, `epoch` counting from 0.
        """
        count = self._settings.num_negatives
        items = np.empty((len(self), 1 + count), np.int32)
        items[:, 0] = self.positives.values
        fill = self._stream if self._settings.mode == "streaming" else self._copy
        fill(items, epoch)
        order = np.random.default_rng([self._seed, epoch]).permutation(len(self))
        return self._users[order], items[order]

    def _stream(self, items: np.ndarray, epoch: int) -> None:
        count = self._settings.num_negatives
        offsets = self.positives.offsets
        limits = np.arange(0, offsets[-1], max(1, _DRAW_ROWS // count))
        starts = np.unique(np.searchsorted(offsets, limits, side="right") - 1)
        for start, stop in zip(starts, [*starts[1:], len(offsets) - 1], strict=True):
            rows = slice(offsets[start], offsets[stop])
            drawn = self._sampler.draw(
                epoch=epoch, num_negatives=count, start=start, stop=stop
            )
            items[rows, 1:] = drawn.reshape(-1, count)

    def _copy(self, items: np.ndarray, epoch: int) -> None:
        count = self._settings.num_negatives
        sizes = self.positives.sizes * count
        stored = self._stored
        if stored is None or (stored.sizes < (epoch + 1) * sizes).any():
            raise ValueError(
                f"Epoch {epoch + 1} lacks materialised negatives: run NegativeSampling "
                "for as many epochs as the trainer, or set `sampling.mode: streaming`."
            )
        starts = stored.offsets[:-1] + epoch * sizes
        within = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        flat = stored.values[np.repeat(starts, sizes) + within]
        items[:, 1:] = flat.reshape(-1, count)


def _weights(
    positives: Lists, settings: config.SamplingConfig, num_items: int
) -> np.ndarray | None:
    if settings.distribution == "uniform":
        return None
    counts = np.bincount(positives.values, minlength=num_items)
    return negatives_module.popularity_weights(counts, settings.popularity_alpha)


class Drawable(typing.Protocol):
    """What has the rows of any epoch, such as `EpochRows`."""

    def draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns users [G] and items [G, 1 + n], int32, the positive first."""


def prefetched(
    rows: Drawable, epochs: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields `rows.draw(epoch)` of each; the next is drawn while one is used."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        pending = None
        for epoch in epochs:
            following = executor.submit(rows.draw, epoch)
            if pending:
                yield pending.result()
            pending = following
        if pending:
            yield pending.result()
