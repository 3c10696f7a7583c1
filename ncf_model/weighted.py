"""Unseen items drawn in proportion to a weight, exactly.

All items lie on a line, each as long as its weight. What a user has not seen, pushed
together, is a line of its own, and a uniform point of that is a draw. Two searches find
its item: one says how much of what was seen lies before the point, the other which item
is there. Weights are integers, so no rounding can put a point on a seen item.
"""

import numpy as np

from ncf_model import draws
from ncf_model.unseen import BLOCK, blocks, check_items, sort_items

_TOTAL = 1 << 40


def popularity_weights(counts: np.ndarray, alpha: float) -> np.ndarray:
    """Returns integer weights in proportion to `max(counts, 1) ** alpha`.

    An item that never trains, because it occurs in evaluation only, weighs as much as
    one that trains once: were it never drawn, its absence would give the answer away.

    Args:
        counts: [N] integers >= 0, how often each item is a training positive.
        alpha: 0 is uniform, 1 is popularity itself; word2vec takes 0.75.

    Returns:
        [N] int64, 1 or more, with a sum of about 2**40.
    """
    powers = np.maximum(counts, 1).astype(np.float64) ** alpha
    return np.maximum(np.rint(powers * (_TOTAL / powers.sum())), 1).astype(np.int64)


class WeightedItems:
    """Draws from each user's unseen items by weight, for many users.

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
        self.counts = len(weights) - np.diff(offsets)
        users = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
        ordered = sort_items(items, users, len(weights), first_user=0)
        self._items = ordered.astype(np.int32)
        self._offsets = offsets
        self._weights = weights
        self._ends = np.cumsum(weights)

    def draw(
        self, first: np.ndarray, sizes: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        """Draws unseen items by weight, with replacement, for users [start, stop).

        Args:
            first: [stop - start] uint64 of `draws.starts`.
            sizes: [stop - start] int64, how many for each; 0 where `counts` is 0.
            start: the first user.
            stop: the user after the last.

        Returns:
            [sum(sizes)] int32, user after user.
        """
        drawn = [
            self._draw_block(first[a:b], sizes[a:b], start + a, start + b)
            for a, b in blocks(sizes, size=BLOCK, rows=BLOCK)
        ]
        return np.concatenate([np.empty(0, np.int32), *drawn])

    def _draw_block(
        self, first: np.ndarray, sizes: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        offsets = self._offsets[start : stop + 1] - self._offsets[start]
        seen = self._items[self._offsets[start] : self._offsets[stop]]
        # How much of all this block's users had seen before each of their items.
        mass = np.concatenate([[0], np.cumsum(self._weights[seen])])
        before = mass[offsets[:-1]]
        total = int(self._ends[-1])
        users = np.repeat(np.arange(stop - start), np.diff(offsets))
        # Where each seen item was cut out of its user's line of unseen ones.
        cuts = self._ends[seen] - mass[1:] + before[users] + users * total
        points = draws.below(first, sizes, total - np.diff(mass[offsets]))
        drawers = np.repeat(np.arange(stop - start), sizes)
        at = np.searchsorted(cuts, points + drawers * total, side="right")
        points += mass[at] - before[drawers]
        return np.searchsorted(self._ends, points, side="right").astype(np.int32)
