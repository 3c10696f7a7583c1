"""An epoch's batches of users, each with the items of its users."""

import concurrent.futures
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from ncf_model.sampling.ragged import Ragged

# The values of `UserBatch.cells`.
OWNED, KEPT = 1, 2


class UserBatch(NamedTuple):
    """Some users and the items that compete in their step.

    Attributes:
        rows: [b] int32, the user of each row; the number `num_users` fills up the last
            batch.
        columns: [c] int32, the item of each column; None for the whole catalogue.
        cells: [b, c] uint8: 0 where the user does not have the item, `OWNED` where the
            user has it but this step hides it, `KEPT` where the step uses it.
        correction: [c] float32, minus the log of the probability with which an item is
            drawn into the batch.
    """

    rows: np.ndarray
    columns: np.ndarray | None
    cells: np.ndarray
    correction: np.ndarray


class UserBatches:
    """The batches of any epoch; they depend on (seed, epoch) alone.

    In a large catalogue a step sees the items of its users, at most half of
    `most_items` of them, and fills the other half with uniform draws from the rest.
    """

    def __init__(
        self,
        positives: Ragged,
        *,
        num_items: int,
        users_per_batch: int,
        dropout: float,
        most_items: int,
        seed: int,
    ) -> None:
        self._positives = positives
        self._num_items = num_items
        self._size = users_per_batch
        self._dropout = dropout
        self._seed = seed
        self._users = np.flatnonzero(positives.sizes)
        self._columns = num_items if num_items <= most_items else most_items // 2
        counts = np.bincount(positives.values, minlength=num_items)
        share = np.minimum(counts / max(1, len(self._users)), 1.0)
        self._owned_chance = 1.0 - (1.0 - share) ** users_per_batch

    def __len__(self) -> int:
        """The number of batches in an epoch."""
        return -(-len(self._users) // self._size)

    @property
    def num_columns(self) -> int:
        """The number of items in a batch."""
        return self._columns

    def draw(self, epoch: int) -> list[tuple[np.ndarray, np.random.SeedSequence]]:
        """Returns each batch's users, and the seed of what is hidden from them."""
        root = np.random.SeedSequence([self._seed, epoch])
        order = np.random.default_rng(root).permutation(self._users)
        seeds = root.spawn(len(self))
        return [
            (order[i * self._size : (i + 1) * self._size], seed)
            for i, seed in enumerate(seeds)
        ]

    def prefetched(self, epoch: int) -> Iterator[UserBatch]:
        """Yields an epoch's batches; while one is used, the next one is made."""
        with concurrent.futures.ThreadPoolExecutor(1) as executor:
            pending = None
            for users, seed in self.draw(epoch):
                following = executor.submit(self.make, users, seed)
                if pending:
                    yield pending.result()
                pending = following
            if pending:
                yield pending.result()

    def make(self, users: np.ndarray, seed: np.random.SeedSequence) -> UserBatch:
        """Returns the batch of `users`, with a part of their histories hidden."""
        rng = np.random.default_rng(seed)
        taken = self._positives.take(users)
        slots = np.repeat(np.arange(len(users)), taken.sizes)
        states = np.where(rng.random(len(slots)) >= self._dropout, KEPT, OWNED)
        rows = np.full(self._size, len(self._positives.sizes), np.int32)
        rows[: len(users)] = users
        cells = np.zeros((self._size, self._columns), np.uint8)
        if self._columns == self._num_items:
            cells[slots, taken.values] = states
            return UserBatch(rows, None, cells, np.zeros(self._columns, np.float32))
        columns, correction = self._choose(taken.values, rng)
        place = np.searchsorted(columns, taken.values)
        place = np.minimum(place, self._columns - 1)
        there = columns[place] == taken.values
        cells[slots[there], place[there]] = states[there]
        return UserBatch(rows, columns, cells, correction)

    def _choose(
        self, owned: np.ndarray, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns the items of a batch, ascending, and their correction."""
        items = np.unique(owned)
        most = self._columns // 2
        kept_share = min(1.0, most / max(1, len(items)))
        if len(items) > most:
            items = rng.choice(items, most, replace=False)
        others = np.ones(self._num_items, bool)
        others[items] = False
        rest = np.flatnonzero(others)
        drawn = rng.choice(rest, self._columns - len(items), replace=False)
        columns = np.sort(np.concatenate([items, drawn])).astype(np.int32)
        chance = self._owned_chance[columns] * kept_share
        chance += (1.0 - chance) * len(drawn) / len(rest)
        return columns, -np.log(chance).astype(np.float32)
