"""Negative sampling, for many users at a time.

The negatives depend on (seed, user_id, epoch) and the user's own items alone. So the
component NegativeSampling and the trainer draw the same rows, on one worker or many.
"""

import numpy as np

from ncf_model.sampling import random_words
from ncf_model.sampling.random_words import user_keys
from ncf_model.sampling.unseen import UnseenItems, blocks
from ncf_model.sampling.weighted import WeightedItems, popularity_weights

__all__ = [
    "CHOICE_STREAM",
    "EVAL_STREAM",
    "VALIDATION_STREAM",
    "NegativeSampler",
    "blocks",
    "evaluation_negatives",
    "popularity_weights",
    "training_negatives",
    "user_keys",
]

# The streams of random words: different purposes never share a draw.
TRAIN_STREAM = 0
VALIDATION_STREAM = 1
EVAL_STREAM = 2
CHOICE_STREAM = 3  # Which users get lists.


class NegativeSampler:
    """Draws the training negatives of any epoch.

    `draw` changes nothing in the sampler, so several threads may call it at once.
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
            keys: [U] uint64, as `user_keys` returns them.
            num_items: size of the vocabulary; larger indices are never drawn.
            weights: [num_items] int64, as `popularity_weights` returns them: an unseen
                item is drawn with a probability in proportion. None: all are equal.

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
            epoch: 0 or more; different epochs have different negatives.
            num_negatives: per positive, 1 or more.
            start: the first user.
            stop: the user after the last; None is all.

        Returns:
            [positives of these users * num_negatives] int32. The negatives of positive
            j are [j * num_negatives:(j + 1) * num_negatives]. They are drawn with
            replacement, and never are an item of the user.
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
    """Draws the negatives of one epoch; see `NegativeSampler`, which serves several."""
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
        keys: [U] uint64, as `user_keys` returns them.
        num_items: size of the vocabulary.
        count: how many negatives a list has, 1 or more. A user with no more unseen
            items gets all of them.
        stream: `VALIDATION_STREAM` or `EVAL_STREAM`.
        ordinals: [U] integers >= 0, which of its user's lists each list is, where a
            user has several lists. None: each user has one list.
        with_replacement: draws `count` with replacement and keeps the first of equal
            ones, which has the effect of the official NCF's masking of duplicates.

    Returns:
        The negatives, int32, user after user, and offsets, [U + 1] int64: user u has
        `negatives[offsets[u]:offsets[u + 1]]`.
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
