"""Negative sampling, for many users at a time.

Everything depends on (seed, user_id, epoch) and the user's own items alone: the same
rows come out of the component, of the trainer's input pipeline, of one worker or many.
"""

import numpy as np

from ncf_model.sampling import random_words
from ncf_model.sampling.random_words import user_keys
from ncf_model.sampling.unseen import UnseenItems, blocks
from ncf_model.sampling.weighted import WeightedItems, popularity_weights

__all__ = [
    "EVAL_STREAM",
    "VALIDATION_STREAM",
    "NegativeSampler",
    "blocks",
    "evaluation_negatives",
    "popularity_weights",
    "training_negatives",
    "user_keys",
]

# Streams of random words, so that no two purposes share a draw.
TRAIN_STREAM = 0
VALIDATION_STREAM = 1
EVAL_STREAM = 2


class NegativeSampler:
    """Draws training negatives, anew for every epoch, after one preparation.

    `draw` changes nothing in the sampler: threads may draw at the same time.
    """

    def __init__(
        self,
        items: np.ndarray,
        offsets: np.ndarray,
        keys: np.ndarray,
        *,
        num_items: int,
        weights: np.ndarray | None = None,
    ) -> None:
        """Prepares what does not change between epochs.

        Args:
            items: [P] integers in [0, num_items), the positives, user after user.
            offsets: [U + 1] int64; user u has `items[offsets[u]:offsets[u + 1]]`.
            keys: [U] uint64 of `user_keys`.
            num_items: size of the vocabulary; an index beyond it is never drawn.
            weights: [num_items] int64 of `popularity_weights`: a negative's
                probability is in proportion. None is uniform.

        Raises:
            ValueError: an item is outside the vocabulary or twice with one user,
                somebody has seen every item, so that no negative exists, or there are
                more or fewer keys than users or weights than items.
        """
        _check_keys(keys, offsets)
        if weights is not None and len(weights) != num_items:
            raise ValueError(
                f"`weights` must be one per item, {num_items}; got {len(weights)}."
            )
        self._keys = keys
        self.sizes = np.diff(offsets)
        self._items: UnseenItems | WeightedItems
        if weights is None:
            self._items = UnseenItems(items, offsets, num_items=num_items)
        else:
            self._items = WeightedItems(items, offsets, weights=weights)
        full = np.flatnonzero(self._items.counts == 0)
        if len(full):
            raise ValueError(
                f"No negative can be drawn: user number {full[0]} has all {num_items} "
                "items. Drop such users (`data.max_interactions`) or enlarge the "
                "catalogue."
            )

    def draw(
        self, *, epoch: int, num_negatives: int, start: int = 0, stop: int | None = None
    ) -> np.ndarray:
        """Returns the negatives of users [start, stop) in one epoch.

        Args:
            epoch: 0 or more; each has draws of its own.
            num_negatives: per positive, 1 or more.
            start: the first user.
            stop: the user after the last; None is all.

        Returns:
            [positives of these users * num_negatives] int32. Those of positive j stand
            at [j * num_negatives:(j + 1) * num_negatives]; with replacement, never an
            item of the user.
        """
        if num_negatives < 1 or epoch < 0:
            raise ValueError(
                "`num_negatives` must be 1 or more and `epoch` 0 or more; "
                f"got {num_negatives} and {epoch}."
            )
        stop = len(self.sizes) if stop is None else stop
        first = random_words.starts(
            self._keys[start:stop], epoch=epoch, stream=TRAIN_STREAM
        )
        sizes = self.sizes[start:stop] * num_negatives
        return self._items.draw(first, sizes, start, stop)


def training_negatives(
    items: np.ndarray,
    offsets: np.ndarray,
    keys: np.ndarray,
    *,
    epoch: int,
    num_negatives: int,
    num_items: int,
    weights: np.ndarray | None = None,
) -> np.ndarray:
    """Draws one epoch's negatives; for more epochs prepare a `NegativeSampler` once."""
    sampler = NegativeSampler(
        items, offsets, keys, num_items=num_items, weights=weights
    )
    return sampler.draw(epoch=epoch, num_negatives=num_negatives)


def evaluation_negatives(
    items: np.ndarray,
    offsets: np.ndarray,
    keys: np.ndarray,
    *,
    num_items: int,
    count: int,
    stream: int,
    ordinals: np.ndarray | None = None,
    with_replacement: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Draws the negatives of one evaluation list per user, uniformly and distinct.

    Args:
        items: [P] integers in [0, num_items), never drawn for their user.
        offsets: [U + 1] int64; user u has `items[offsets[u]:offsets[u + 1]]`.
        keys: [U] uint64 of `user_keys`.
        num_items: size of the vocabulary.
        count: length of a list, 1 or more. A user with no more unseen items gets all.
        stream: `VALIDATION_STREAM` or `EVAL_STREAM`.
        ordinals: [U] integers >= 0, the number of each list among its user's, where
            users have more than one. None is one list each.
        with_replacement: draws `count` with replacement and keeps the first of equal
            ones, which is what the official NCF's masking of duplicates amounts to.

    Returns:
        The negatives, int32, and offsets, [U + 1] int64, user after user.
    """
    if count < 1:
        raise ValueError(f"`count` must be 1 or more; got {count}.")
    _check_keys(keys, offsets)
    unseen = UnseenItems(items, offsets, num_items=num_items)
    first = random_words.starts(
        keys, epoch=0 if ordinals is None else ordinals, stream=stream
    )
    lists, lengths = unseen.draw_lists(first, count, with_replacement=with_replacement)
    return lists, np.concatenate([[0], np.cumsum(lengths)])


def _check_keys(keys: np.ndarray, offsets: np.ndarray) -> None:
    if len(keys) != len(offsets) - 1:
        raise ValueError(
            f"`keys` must be one per user, {len(offsets) - 1}; got {len(keys)}."
        )
