"""From NegativeSampling's records to the rows of an epoch."""

import concurrent.futures
import dataclasses
import typing
from collections.abc import Iterator, Sequence

import numpy as np
import tensorflow as tf

from ncf_model import config, features
from ncf_model.sampling import negatives as negatives_module
from ncf_model.sampling.ragged import Ragged

_BATCH = 4096
# How many rows are drawn at a time, which bounds the memory of the sampler's result.
_DRAW_ROWS = 1 << 21


@dataclasses.dataclass(frozen=True)
class Interactions:
    """The split `train`, sorted by user index.

    Attributes:
        user_ids: [U] raw ids.
        user_index: [U] int32.
        positives: the items that each user trains on, by time.
        validation_items: the items of each user that only the refit trains on.
        eval_items: the items of each user that are never trained on.
        negatives: [epochs * p * num_negatives] for a user with p positives, if
            NegativeSampling wrote them; None in the mode `streaming`.
        refit_negatives: the negatives for positives and validation items together; None
            in the mode `streaming`.
    """

    user_ids: list[bytes]
    user_index: np.ndarray
    positives: Ragged
    validation_items: Ragged
    eval_items: Ragged
    negatives: Ragged | None = None
    refit_negatives: Ragged | None = None


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
    """Reads the split `validation`: the raw id of each list's user, and candidates.

    The candidates of a list are raw ids, the held-out item first. There may be no list.
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


def _joined(batches: list[dict], name: str) -> Ragged:
    values = [batch[name].values.numpy().astype(np.int32) for batch in batches]
    sizes = np.concatenate([batch[name].row_lengths().numpy() for batch in batches])
    return Ragged(np.concatenate(values), np.concatenate([[0], np.cumsum(sizes)]))


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
            interactions: the users and their items.
            settings: how negatives are sampled.
            num_items: size of the item vocabulary.
            seed: of the negatives and of the order of rows.
            refit: whether the validation items count as positives, too.
        """
        self._seed = seed
        self._settings = settings
        positives = interactions.positives
        if refit:
            positives = positives.then(interactions.validation_items)
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
        """The number of groups in an epoch, one per positive."""
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
    positives: Ragged, settings: config.SamplingConfig, num_items: int
) -> np.ndarray | None:
    if settings.distribution == "uniform":
        return None
    counts = np.bincount(positives.values, minlength=num_items)
    return negatives_module.popularity_weights(counts, settings.popularity_alpha)


class Drawable(typing.Protocol):
    """An object that has the rows of any epoch, such as `EpochRows`."""

    def draw(self, epoch: int) -> tuple[np.ndarray, np.ndarray]:
        """Returns an epoch's users [G] and items [G, 1 + n], int32, positives first."""


def prefetched(
    rows: Drawable, epochs: Sequence[int]
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Yields `rows.draw(epoch)` for each epoch, and draws the next one meanwhile."""
    with concurrent.futures.ThreadPoolExecutor(1) as executor:
        pending = None
        for epoch in epochs:
            following = executor.submit(rows.draw, epoch)
            if pending:
                yield pending.result()
            pending = following
        if pending:
            yield pending.result()
