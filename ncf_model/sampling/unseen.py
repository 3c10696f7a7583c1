"""Numbers each user's unseen items from 0, without ever listing them.

A user who has seen p of N items has N - p unseen ones. Number k stands for item p + k
if that item is unseen. Each seen item from p on gives its number to one of the unseen
items below p, of which there are as many. So numbers and unseen items correspond one to
one: a uniform number gives a uniform unseen item, without rejection and without search.
Only these exceptions are stored. They are few, because the vocabulary is in order of
frequency and most seen items are below p.
"""

from collections.abc import Iterator

import numpy as np

from ncf_model.sampling import compiled_loops

# Items in a block of users: few enough that its arrays stay in the processor's cache.
BLOCK = 1 << 15


def blocks(sizes: np.ndarray, *, size: int, rows: int) -> Iterator[tuple[int, int]]:
    """Cuts users into blocks [start, stop) of at most `rows` users.

    The `sizes` of a block sum to at most `size`, unless the block is a single user.
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
    """The correspondence of numbers and unseen items, for many users.

    Attributes:
        num_items: size of the catalogue.
        sizes: [U] int64, how many items each user has seen.
        counts: [U] int64, how many items each user has not seen.
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
        offsets = np.ascontiguousarray(offsets, np.int64)
        self.num_items = num_items
        self.sizes = np.diff(offsets)
        self.counts = num_items - self.sizes
        parts = [
            self._pair(items[offsets[start] : offsets[stop]], start, stop)
            for start, stop in blocks(self.sizes, size=BLOCK, rows=BLOCK)
        ]
        none = np.empty(0, np.int32)
        self._items = np.concatenate([none, *(part[0] for part in parts)])
        self._stand_ins = np.concatenate([none, *(part[1] for part in parts)])
        exceptions = np.concatenate([[0], *(part[2] for part in parts)])
        self._offsets = np.cumsum(exceptions)

    def draw(
        self, first: np.ndarray, sizes: np.ndarray, start: int, stop: int
    ) -> np.ndarray:
        """Draws unseen items uniformly, with replacement, for users [start, stop).

        Args:
            first: [stop - start] uint64, as `random_words.starts` returns them.
            sizes: [stop - start] int64, how many draws each user gets; 0 where
                `counts` is 0.
            start: the first user.
            stop: the user after the last.

        Returns:
            [sum(sizes)] int32, user after user.
        """
        by_table = self.num_items <= compiled_loops.NARROW
        draw = (
            compiled_loops.draw_by_table if by_table else compiled_loops.draw_by_index
        )
        return draw(first, sizes, *self._users(start, stop))

    def draw_lists(
        self, first: np.ndarray, count: int, *, with_replacement: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Draws a list of `count` distinct unseen items for every user.

        Args:
            first: [U] uint64, as `random_words.starts` returns them.
            count: 1 or more; a user with no more unseen items gets all of them.
            with_replacement: draws `count` items for every user, and keeps the first of
                equal ones.

        Returns:
            The items, int32, user after user in the order of drawing, and how many
            each user gets, [U] int64.
        """
        users = self._users(0, len(self.sizes))
        return compiled_loops.draw_lists(first, count, with_replacement, *users)

    def _users(
        self, start: int, stop: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, int]:
        """Returns the arrays of users [start, stop) that the compiled loops need."""
        offsets = self._offsets[start : stop + 1]
        sizes = self.sizes[start:stop]
        return sizes, self._items, self._stand_ins, offsets, self.num_items

    def _pair(
        self, items: np.ndarray, start: int, stop: int
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Pairs each seen item from p on with an unseen item below p."""
        sizes = self.sizes[start:stop]
        users = np.repeat(np.arange(stop - start), sizes)
        items = sort_items(items, users, self.num_items, first_user=start)
        exceptional = items >= sizes[users]
        # A mark for each item below p, user after user; items without a mark are
        # unseen.
        first = (np.cumsum(sizes) - sizes)[users]
        free = np.ones(len(items), bool)
        free[(items + first)[~exceptional]] = False
        stand_ins = (np.arange(len(items)) - first)[free]
        counts = np.bincount(users[exceptional], minlength=stop - start)
        seen = items[exceptional].astype(np.int32)
        return seen, stand_ins.astype(np.int32), counts


def sort_items(
    items: np.ndarray, users: np.ndarray, num_items: int, *, first_user: int
) -> np.ndarray:
    """Returns the items sorted within each of the ascending `users`, int64.

    Raises:
        ValueError: a user has an item twice. The message names the user's number, to
            which `first_user` is added.
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
    if offsets[0] != 0 or offsets[-1] != len(items):
        raise ValueError(
            f"`offsets` must go from 0 to the number of items, {len(items)}; "
            f"got {offsets[0]} to {offsets[-1]}."
        )
    if len(items) and not (items.min() >= 0 and items.max() < num_items):
        raise ValueError(
            f"Item indices must be in [0, {num_items}), the vocabulary; got "
            f"{items.min()} to {items.max()}. Index {num_items} is an id outside the "
            "vocabulary: use the transform graph that belongs to these examples."
        )
