"""Unseen items drawn in proportion to a weight, exactly.

All items lie on a line, each as long as its weight; a uniform point is an item. If its
user has seen that one, another point is tried, and then a last one that cannot fail: on
the line of what the user has not seen, pushed together. Both ways lead to each unseen
item in proportion to its weight, so any number of tries does; the first are cheaper.
Weights are integers, so no rounding can put a point on a seen item.
"""

import numpy as np

from ncf_model import draws
from ncf_model.unseen import BLOCK, blocks, check_items, sort_items

_TOTAL = 1 << 40
# Tries on the whole line before the search on the user's own.
_TRIES = 3
# Buckets of the line that say which item covers them, or is the first of some.
_MOST_BUCKETS = 1 << 22
_MARKS = 1 << 22


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
        self._total = int(self._ends[-1])
        buckets = min(_MOST_BUCKETS, max(1 << 16, 16 * len(weights)))
        self._bucket_bits = max(0, (self._total // buckets).bit_length())
        begins = np.arange(0, self._total, 1 << self._bucket_bits)
        item = np.searchsorted(self._ends, begins, side="right").astype(np.int32)
        item = np.append(item, np.int32(len(weights) - 1))
        # The item that a bucket begins with, and its complement if others follow.
        self._buckets = np.where(item == np.append(item[1:], item[-1]), item, ~item)

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
        marks = np.zeros(_MARKS, bool)
        drawn = [
            self._draw_block(first[a:b], sizes[a:b], start + a, start + b, marks)
            for a, b in blocks(sizes, size=BLOCK, rows=BLOCK)
        ]
        return np.concatenate([np.empty(0, np.int32), *drawn])

    def _draw_block(
        self,
        first: np.ndarray,
        sizes: np.ndarray,
        start: int,
        stop: int,
        marks: np.ndarray,
    ) -> np.ndarray:
        rows = np.arange(stop - start) * len(self._weights)
        seen = self._items[self._offsets[start] : self._offsets[stop]]
        keys = np.repeat(rows, np.diff(self._offsets[start : stop + 1])) + seen
        marks[keys & (_MARKS - 1)] = True
        users = np.repeat(np.arange(stop - start), sizes)
        drawn = self._item_at(draws.below(draws.words(first, sizes), self._total))
        todo = np.flatnonzero(_is_in(keys, rows[users] + drawn, marks))
        number = todo - (np.cumsum(sizes) - sizes)[users[todo]]
        for _ in range(_TRIES - 1):
            owners = users[todo]
            number += sizes[owners]
            bits = draws.words_at(first[owners], number)
            again = self._item_at(draws.below(bits, self._total))
            drawn[todo] = again
            failed = _is_in(keys, rows[owners] + again, marks)
            todo, number = todo[failed], number[failed]
        marks[keys & (_MARKS - 1)] = False
        owners = users[todo]
        bits = draws.words_at(first[owners], number + sizes[owners])
        drawn[todo] = self._unseen_at(bits, owners, start, stop)
        return drawn

    def _item_at(self, points: np.ndarray) -> np.ndarray:
        """Returns the items at points of the whole line."""
        bucket = points >> self._bucket_bits
        items = self._buckets[bucket]
        search = np.flatnonzero(items < 0)
        points, low = points[search], ~items[search]
        high = self._buckets[bucket[search] + 1]
        high = np.where(high < 0, ~high, high)
        # Bisection among a bucket's few items: where the catalogue is large, a search
        # of all of it would miss the processor's caches at every step.
        for _ in range(int((high - low).max(initial=0)).bit_length()):
            middle = (low + high) >> 1
            above = self._ends[middle] <= points
            low = np.where(above, middle + 1, low)
            high = np.where(above, high, middle)
        items[search] = low
        return items

    def _unseen_at(
        self, bits: np.ndarray, users: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        """Turns words into items on the line of each draw's user of a block."""
        offsets = self._offsets[start : stop + 1] - self._offsets[start]
        seen = self._items[self._offsets[start] : self._offsets[stop]]
        # How much of all the block's users had been seen before each of their items.
        mass = np.concatenate([[0], np.cumsum(self._weights[seen])])
        before = mass[offsets[:-1]]
        owners = np.repeat(np.arange(stop - start), np.diff(offsets))
        # Where each seen item was cut out of its user's line.
        cuts = self._ends[seen] - mass[1:] + before[owners] + owners * self._total
        points = draws.below(bits, (self._total - np.diff(mass[offsets]))[users])
        at = np.searchsorted(cuts, points + users * self._total, side="right")
        return self._item_at(points + mass[at] - before[users])


def _is_in(keys: np.ndarray, wanted: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Returns which of `wanted` are among the sorted `keys`, [len(wanted)] bool.

    `marks` has a True for each key, at its place modulo the size of `marks`; only where
    two keys may share a place does it take a search.
    """
    found = marks[wanted & (_MARKS - 1)]
    if max(wanted.max(initial=0), keys.max(initial=0)) < _MARKS:
        return found
    maybe = np.flatnonzero(found)
    at = np.searchsorted(keys, wanted[maybe])
    at[at == len(keys)] = 0
    found[maybe] = keys[at] == wanted[maybe]
    return found
