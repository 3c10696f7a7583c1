"""Draws unseen items in proportion to a weight, exactly.

All items are segments of a line, each as long as its weight. A uniform point of the
line draws the item in whose segment it lies. If the user has seen that item, another
point is tried. After some tries a point is taken on the line of the user's unseen items
alone, which cannot fail. Both ways draw each unseen item in proportion to its weight,
so the number of tries does not matter; a try is the cheaper way. Weights are integers,
so no rounding can put a point on a seen item.
"""

import numpy as np

from ncf_model.config import LARGEST_ALPHA
from ncf_model.sampling import compiled_loops
from ncf_model.sampling.unseen import check_items, sort_items

_TOTAL = 1 << 40
# Tries on the line of all items before the line of the user's unseen items.
_TRIES = 3
# Into so many buckets the line is cut; each knows the item that it begins with.
_MOST_BUCKETS = 1 << 22


def popularity_weights(counts: np.ndarray, alpha: float) -> np.ndarray:
    """Returns integer weights in proportion to `max(counts, 1) ** alpha`.

    An item that never trains, because only held-out interactions have it, weighs as
    much as one that trains once. If such an item were never drawn as a negative, the
    model could learn from its absence that it is an answer.

    Args:
        counts: [N] integers >= 0, how often each item is a training positive.
        alpha: 0 is uniform, 1 is popularity itself; word2vec takes 0.75.

    Returns:
        [N] int64, 1 or more, with a sum of about 2**40.

    Raises:
        ValueError: `alpha` is outside [0, 10]. The compiled loops believe the weights,
            and a power beyond the largest float would make them negative.
    """
    if not 0 <= alpha <= LARGEST_ALPHA:
        raise ValueError(
            f"`popularity_alpha` must be from 0 to {LARGEST_ALPHA:g}; got {alpha}."
        )
    powers = np.maximum(counts, 1).astype(np.float64) ** alpha
    return np.maximum(np.rint(powers * (_TOTAL / powers.sum())), 1).astype(np.int64)


class WeightedItems:
    """Draws unseen items in proportion to their weights, for many users.

    Attributes:
        counts: [U] int64, how many items each user has not seen.
    """

    def __init__(
        self, items: np.ndarray, offsets: np.ndarray, *, weights: np.ndarray
    ) -> None:
        """Sorts each user's items.

        Args:
            items: [P] integers in [0, N), distinct per user, user after user.
            offsets: [U + 1] int64; user u has `items[offsets[u]:offsets[u + 1]]`.
            weights: [N] int64, 1 or more, with a sum below 2**41.

        Raises:
            ValueError: an item is outside the catalogue, or a user has one twice.
        """
        check_items(items, offsets, len(weights))
        offsets = np.ascontiguousarray(offsets, np.int64)
        self.counts = len(weights) - np.diff(offsets)
        users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        ordered = sort_items(items, users, len(weights), first_user=0)
        self._items = ordered.astype(np.int32)
        self._offsets = offsets
        self._weights = weights
        self._ends = np.cumsum(weights)
        total = int(self._ends[-1])
        buckets = min(_MOST_BUCKETS, max(1 << 16, 16 * len(weights)))
        self._bucket_bits = max(0, (total // buckets).bit_length())
        begins = np.arange(0, total, 1 << self._bucket_bits)
        item = np.searchsorted(self._ends, begins, side="right").astype(np.int32)
        item = np.append(item, np.int32(len(weights) - 1))
        # The item that a bucket begins with, or the complement if more items begin in
        # it.
        self._buckets = np.where(item == np.append(item[1:], item[-1]), item, ~item)

    def draw(
        self, first: np.ndarray, sizes: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        """Draws unseen items by weight, with replacement, for users [start, stop).

        Args:
            first: [stop - start] uint64, as `random_words.starts` returns them.
            sizes: [stop - start] int64, how many draws each user gets; 0 where
                `counts` is 0.
            start: the first user.
            stop: the user after the last.

        Returns:
            [sum(sizes)] int32, user after user.
        """
        return compiled_loops.draw_by_weight(
            first,
            sizes,
            self._items,
            self._offsets[start : stop + 1],
            self._weights,
            self._ends,
            self._buckets,
            self._bucket_bits,
            _TRIES,
        )
