"""Each user's unseen items, numbered from 0, without ever listing them.

A user who has seen p of N items has N - p unseen ones. Number k stands for item p + k,
if that is unseen; each seen item from p on hands its number to one of the unseen items
below p. There are as many of the one as of the other, so this is a bijection: a uniform
number is a uniform unseen item, with no rejection and no search. Only the exceptions
are stored, and since the vocabulary is in frequency order, most of what users have seen
lies below p and is none.
"""

from collections.abc import Iterator

import numpy as np

from ncf_model import draws

# Draws per block of users, so that a block's arrays stay in the processor's cache.
BLOCK = 1 << 15
# Entries of the table that maps a block's numbers to items.
_TABLE = 1 << 19
# Smaller blocks are dominated by NumPy's cost per call, so the filter serves them.
_SMALLEST_BLOCK = 1 << 13
_FILTER = 1 << 20


def blocks(sizes: np.ndarray, *, size: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cuts users into blocks [start, stop) of at most `rows` users.

    The `sizes` of a block sum to at most `size`, unless it is a single user.
    """
    ends = np.cumsum(sizes)
    start = 0
    while start < len(sizes):
        before = int(ends[start - 1]) if start else 0
        stop = int(np.searchsorted(ends, before + size, side="right"))
        stop = min(max(stop, start + 1), start + rows, len(sizes))
        yield start, stop
        start = stop


class UnseenItems:
    """The bijection from numbers to unseen items, for many users.

    Attributes:
        num_items: size of the catalogue.
        sizes: [U] int64, how many items each user has seen.
        counts: [U] int64, how many items each user has not seen.
        dtype: the narrowest that holds an item: half the memory is half the misses.
    """

    def __init__(
        self, items: np.ndarray, offsets: np.ndarray, *, num_items: int
    ) -> None:
        """Prepares the exceptions, in memory proportional to `items`.

        Args:
            items: [P] integers in [0, num_items), user after user, in any order.
            offsets: [U + 1] int64; user u has `items[offsets[u]:offsets[u + 1]]`.
            num_items: size of the catalogue, from 1 to 2**31 - 1.

        Raises:
            ValueError: an item is outside the catalogue, or a user has one twice.
        """
        check_items(items, offsets, num_items)
        self.num_items = num_items
        self.sizes = np.diff(offsets)
        self.counts = num_items - self.sizes
        self.dtype = np.dtype(np.uint16 if num_items <= 1 << 16 else np.int32)
        parts = [
            self._pair(items[offsets[start] : offsets[stop]], start, stop)
            for start, stop in blocks(self.sizes, size=BLOCK, rows=BLOCK)
        ]
        none = np.empty(0, self.dtype)
        self._seen = np.concatenate([none, *(part[0] for part in parts)])
        self._stand_ins = np.concatenate([none, *(part[1] for part in parts)])
        exceptions = np.concatenate([[0], *(part[2] for part in parts)])
        self._offsets = np.cumsum(exceptions)

    def draw(
        self, first: np.ndarray, sizes: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        """Draws unseen items uniformly, with replacement, for users [start, stop).

        Args:
            first: [stop - start] uint64 of `draws.starts`.
            sizes: [stop - start] int64, how many for each; 0 where `counts` is 0.
            start: the first user.
            stop: the user after the last.

        Returns:
            [sum(sizes)] int32, user after user.
        """
        drawn = np.empty(int(sizes.sum()), np.int32)
        lookup = self.lookup(sizes)
        done = 0
        for a, b in blocks(sizes, size=BLOCK, rows=lookup.rows):
            counts = self.counts[start + a : start + b]
            numbers = draws.integers(
                first[a:b], sizes[a:b], counts, limit=self.num_items
            )
            out = drawn[done : done + len(numbers)]
            lookup(start + a, start + b, sizes[a:b], numbers, out)
            done += len(numbers)
        return drawn

    def lookup(self, sizes: np.ndarray) -> "TableLookup | FilterLookup":
        """Returns the faster way to map `sizes[u]` numbers per user, [U] int64."""
        rows = max(1, _TABLE // self.num_items)
        large = rows * sizes.sum() >= _SMALLEST_BLOCK * len(sizes)
        if large and self.num_items <= _TABLE:
            return TableLookup(self, rows)
        return FilterLookup(self)

    def exceptions(
        self, start: int, stop: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns a block's exceptions: keys, seen items and their stand-ins.

        A key is `user's place in the block * num_items + seen item`, int64, ascending.
        """
        first, last = self._offsets[start], self._offsets[stop]
        seen, stand_ins = self._seen[first:last], self._stand_ins[first:last]
        counts = np.diff(self._offsets[start : stop + 1])
        rows = np.repeat(np.arange(stop - start) * self.num_items, counts)
        return rows + seen, seen, stand_ins

    def keys(
        self, start: int, stop: int, sizes: np.ndarray, numbers: np.ndarray
    ) -> np.ndarray:
        """Turns the numbers of a block into keys of items p + k, in place."""
        rows = np.arange(stop - start) * self.num_items + self.sizes[start:stop]
        numbers += np.repeat(rows, sizes)
        return numbers

    def _pair(
        self, items: np.ndarray, start: int, stop: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs each seen item from p on with an unseen item below p."""
        sizes = self.sizes[start:stop]
        users = np.repeat(np.arange(stop - start), sizes)
        items = sort_items(items, users, self.num_items, first_user=start)
        exceptional = items >= sizes[users]
        # A place for each item below p, user after user; the unmarked are unseen.
        first = (np.cumsum(sizes) - sizes)[users]
        free = np.ones(len(items), bool)
        free[(items + first)[~exceptional]] = False
        stand_ins = (np.arange(len(items)) - first)[free]
        counts = np.bincount(users[exceptional], minlength=stop - start)
        seen = items[exceptional].astype(self.dtype)
        return seen, stand_ins.astype(self.dtype), counts


class TableLookup:
    """Maps numbers to items by a table with a row per user of a block."""

    def __init__(self, unseen: UnseenItems, rows: int) -> None:
        self.rows = rows
        self._unseen = unseen
        self._items = np.tile(np.arange(unseen.num_items, dtype=unseen.dtype), rows)

    def __call__(
        self,
        start: int,
        stop: int,
        sizes: np.ndarray,
        numbers: np.ndarray,
        out: np.ndarray,
    ) -> None:
        """Writes the items of the block's `numbers`, which it overwrites, to `out`."""
        keys, seen, stand_ins = self._unseen.exceptions(start, stop)
        self._items[keys] = stand_ins
        places = self._unseen.keys(start, stop, sizes, numbers)
        out[:] = self._items.take(places, mode="clip")
        self._items[keys] = seen


class FilterLookup:
    """Maps numbers to items by a search, of those only that a filter lets through.

    It needs no row per user, so it serves any catalogue and users with few draws.
    """

    rows = BLOCK

    def __init__(self, unseen: UnseenItems) -> None:
        self._unseen = unseen
        self._marked = np.zeros(_FILTER, bool)

    def __call__(
        self,
        start: int,
        stop: int,
        sizes: np.ndarray,
        numbers: np.ndarray,
        out: np.ndarray,
    ) -> None:
        """Writes the items of the block's `numbers`, which it overwrites, to `out`."""
        out[:] = numbers
        out += np.repeat(self._unseen.sizes[start:stop].astype(np.int32), sizes)
        keys, _, stand_ins = self._unseen.exceptions(start, stop)
        if not len(keys):
            return
        places = self._unseen.keys(start, stop, sizes, numbers)
        self._marked[keys & (_FILTER - 1)] = True
        maybe = np.flatnonzero(self._marked[places & (_FILTER - 1)])
        self._marked[keys & (_FILTER - 1)] = False
        at = np.searchsorted(keys, places[maybe])
        at[at == len(keys)] = 0
        exact = keys[at] == places[maybe]
        out[maybe[exact]] = stand_ins[at[exact]]


def sort_items(
    items: np.ndarray, users: np.ndarray, num_items: int, *, first_user: int
) -> np.ndarray:
    """Returns the items sorted within each of the ascending `users`, int64.

    Raises:
        ValueError: a user has an item twice; `first_user` is added to its number.
    """
    keys = users * num_items + items
    keys.sort()
    twice = np.flatnonzero(keys[1:] == keys[:-1])
    if len(twice):
        user, item = divmod(int(keys[twice[0]]), num_items)
        raise ValueError(
            f"A user's items must be distinct; user number {first_user + user} has "
            f"item {item} twice. Merge repeated interactions before sampling."
        )
    return keys - users * num_items


def check_items(items: np.ndarray, offsets: np.ndarray, num_items: int) -> None:
    """Raises ValueError unless `items` fit their offsets and the catalogue."""
    if not 1 <= num_items < 1 << 31:
        raise ValueError(f"`num_items` must be in [1, 2**31); got {num_items}.")
    if len(items) != offsets[-1]:
        raise ValueError(
            f"`offsets` must end at the number of items, {len(items)}; "
            f"got {offsets[-1]}."
        )
    if len(items) and not (items.min() >= 0 and items.max() < num_items):
        raise ValueError(
            f"Item indices must be in [0, {num_items}), the vocabulary; got "
            f"{items.min()} to {items.max()}. Index {num_items} is an id outside the "
            "vocabulary: use the transform graph that belongs to these examples."
        )
