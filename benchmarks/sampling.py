"""Times our negative sampling beside NumPy's bare cost and the official NCF's two ways.

Usage: python benchmarks/sampling.py [--rounds 7] [--ratings FILE] [--feed] [SHAPE ...]

Each round times every contender once, so that all meet the same machine; the table has
medians of the CPU time of one core. The official constructors are re-implemented from
their description. `materialized` takes a random integer modulo the number of a user's
negatives and looks it up in a table of users x items; `bisection` searches for it in
the user's cumulative counts of negatives. Both draw for rows in shuffled order, as the
official epoch does; `in order` is their best case.

`--feed` prints how many rows (user, item, label) per second the trainer's input gives,
in CPU time of one core, and how many training takes, in seconds of the clock. Both run
with the default configuration.
"""

import argparse
import dataclasses
import statistics
import time
from collections.abc import Callable

import numpy as np
import pyarrow.csv

from ncf_model.sampling import negatives
from ncf_model.sampling.ragged import Ragged

NUM_NEGATIVES = 4
BATCH = 1 << 17
# Numbers of users, items and positives: those of MovieLens 1M and 20M, and of many
# users who each have few items of a large catalogue.
SHAPES = {
    "ml-1m": (6_040, 3_706, 994_169),
    "ml-20m": (138_493, 26_744, 19_861_770),
    "sparse": (300_000, 10_000_000, 900_000),
}


@dataclasses.dataclass(frozen=True)
class Positives:
    """The items that each user has, user after user; item 0 is the most popular."""

    items: np.ndarray
    offsets: np.ndarray
    num_items: int

    @property
    def sizes(self) -> np.ndarray:
        return np.diff(self.offsets)

    @property
    def draws(self) -> int:
        return len(self.items) * NUM_NEGATIVES


def made_up(shape: str) -> Positives:
    """Returns made-up positives of a shape.

    The users' activity is log-normal, and the items' popularity follows Zipf's law.
    """
    users, num_items, wanted = SHAPES[shape]
    rng = np.random.default_rng(0)
    activity = rng.lognormal(0, 1.1, users)
    sizes = np.maximum(1, (activity / activity.sum() * wanted).astype(np.int64))
    sizes = np.minimum(sizes, num_items // 2)
    popularity = 1 / (np.arange(num_items) + num_items / 30)
    ends = np.cumsum(popularity)
    # More than needed are drawn, because a user's repeats are dropped.
    owners = np.repeat(np.arange(users), sizes + sizes // 2 + 1)
    drawn = np.searchsorted(ends, rng.random(len(owners)) * ends[-1])
    owners, items = np.divmod(np.unique(owners * num_items + drawn), num_items)
    order = np.lexsort((rng.random(len(owners)), owners))
    owners, items = owners[order], items[order]
    place = np.arange(len(owners)) - np.searchsorted(owners, np.arange(users))[owners]
    kept = place < sizes[owners]
    offsets = np.searchsorted(owners[kept], np.arange(users + 1))
    return Positives(items[kept], offsets, num_items)


def from_ratings(path: str) -> Positives:
    """Returns the positives of a CSV file without the last row of each user."""
    table = pyarrow.csv.read_csv(path)
    _, users = np.unique(table.column(0).to_numpy(), return_inverse=True)
    ids, items, counts = np.unique(
        table.column(1).to_numpy(), return_inverse=True, return_counts=True
    )
    rank = np.empty(len(ids), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(len(ids))
    order = np.argsort(users, kind="stable")
    users, items = users[order], rank[items[order]]
    kept = np.append(users[1:] == users[:-1], False)
    users, items = users[kept], items[kept]
    offsets = np.searchsorted(users, np.arange(users[-1] + 2))
    return Positives(items, offsets, len(ids))


def official_integers(bounds: np.ndarray, rng: np.random.RandomState) -> np.ndarray:
    """Returns random 64-bit integers modulo `bounds`, drawn as in the official NCF."""
    bits = rng.randint(0, np.iinfo(np.uint64).max, size=bounds.shape, dtype=np.uint64)
    return np.mod(bits, bounds.astype(np.uint64)).astype(np.int64)


class Official:
    """The base of both official constructors: the rows to draw for, in batches."""

    def __init__(self, positives: Positives, *, shuffled: bool) -> None:
        self.positives = positives
        self.rng = np.random.RandomState(0)
        self.counts = positives.num_items - positives.sizes
        users = np.repeat(np.arange(len(positives.sizes)), positives.sizes)
        if shuffled:
            self.rng.shuffle(users)
        self.users = np.repeat(users, NUM_NEGATIVES)

    def draw(self) -> None:
        """Draws the negatives of an epoch."""
        for start in range(0, len(self.users), BATCH):
            users = self.users[start : start + BATCH]
            self.lookup(users, official_integers(self.counts[users], self.rng))

    def lookup(self, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        """Returns the items: for each user the negative with the given number."""
        raise NotImplementedError


class Materialized(Official):
    """Looks negatives up in a table of all, too large for any but small data."""

    def __init__(self, positives: Positives, *, shuffled: bool) -> None:
        super().__init__(positives, shuffled=shuffled)
        users, num_items = len(positives.sizes), positives.num_items
        kind = np.uint16 if num_items < 1 << 16 else np.int32
        self.table = np.zeros((users, num_items), kind)
        everything = np.arange(num_items)
        for user in range(users):
            start, stop = positives.offsets[user : user + 2]
            unseen = np.setdiff1d(everything, positives.items[start:stop])
            self.table[user, : len(unseen)] = unseen

    def lookup(self, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        return self.table[users, numbers]


class Bisection(Official):
    """Finds negatives by binary search in the counts of those before each positive."""

    def __init__(self, positives: Positives, *, shuffled: bool) -> None:
        super().__init__(positives, shuffled=shuffled)
        owners = np.repeat(np.arange(len(positives.sizes)), positives.sizes)
        keys = np.sort(owners * positives.num_items + positives.items)
        place = np.arange(len(keys)) - positives.offsets[owners]
        self.before = keys - owners * positives.num_items - place
        self.loops = int(np.ceil(np.log2(positives.sizes.max()))) + 1

    def lookup(self, users: np.ndarray, numbers: np.ndarray) -> np.ndarray:
        first = self.positives.offsets[users]
        low, high = first.copy(), self.positives.offsets[users + 1]
        for _ in range(self.loops):
            middle = (low + high) // 2
            searching = low < high
            right = self.before[np.minimum(middle, len(self.before) - 1)] <= numbers
            low = np.where(searching & right, middle + 1, low)
            high = np.where(searching & ~right, middle, high)
        return numbers + low - first


def _ours(positives: Positives, weights: np.ndarray | None) -> Callable[[], object]:
    ids = [b"%d" % user for user in range(len(positives.sizes))]
    sampler = negatives.NegativeSampler(
        positives.items,
        positives.offsets,
        negatives.user_keys(ids, 0),
        num_items=positives.num_items,
        weights=weights,
    )
    return lambda: sampler.draw(epoch=1, num_negatives=NUM_NEGATIVES)


def _prepared(positives: Positives) -> Callable[[], object]:
    keys = np.zeros(len(positives.sizes), np.uint64)
    return lambda: negatives.training_negatives(
        positives.items,
        positives.offsets,
        keys,
        epoch=1,
        num_negatives=NUM_NEGATIVES,
        num_items=positives.num_items,
    )


def _numpy(
    rng: np.random.Generator, bound: int, bounds: np.ndarray | None, draws: int
) -> None:
    """Draws integers in batches, because large arrays would cost page faults."""
    for start in range(0, draws, BATCH):
        size = min(BATCH, draws - start)
        rng.integers(
            bound if bounds is None else bounds[start : start + size], size=size
        )


def _generator_per_user(positives: Positives) -> None:
    for user, size in enumerate(positives.sizes.tolist()):
        generator = np.random.Generator(np.random.Philox(key=[user, 1]))
        generator.integers(positives.num_items - size, size=size * NUM_NEGATIVES)


def contenders(positives: Positives) -> dict[str, Callable[[], object]]:
    """Returns the functions to time, by name; each call of one draws an epoch."""
    rng = np.random.default_rng(0)
    num_items, draws = positives.num_items, positives.draws
    bounds = np.repeat(num_items - positives.sizes, positives.sizes * NUM_NEGATIVES)
    counts = np.bincount(positives.items, minlength=num_items)
    weights = negatives.popularity_weights(counts, 0.75)
    found: dict[str, Callable[[], object]] = {
        "ours": _ours(positives, None),
        "ours, prepared anew": _prepared(positives),
        "ours, by popularity": _ours(positives, weights),
        "NumPy integers, one bound": lambda: _numpy(rng, num_items, None, draws),
        "NumPy integers, a bound per draw": lambda: _numpy(
            rng, num_items, bounds, draws
        ),
    }
    if len(positives.sizes) <= 10_000:
        found["NumPy Philox per user"] = lambda: _generator_per_user(positives)
    kinds: list[type[Official]] = [Bisection]
    if len(positives.sizes) * num_items < 1 << 28:
        kinds.append(Materialized)
    for kind in kinds:
        for shuffled in (True, False):
            order = "" if shuffled else ", in order"
            name = f"official {kind.__name__.lower()}{order}"
            found[name] = kind(positives, shuffled=shuffled).draw
    return found


def measure(positives: Positives, rounds: int) -> dict[str, list[float]]:
    """Returns each contender's CPU seconds per epoch, round by round."""
    timed = contenders(positives)
    for draw in timed.values():  # Numba compiles now, or loads the result.
        draw()
    seconds: dict[str, list[float]] = {name: [] for name in timed}
    for _ in range(rounds):
        for name, draw in timed.items():
            start = time.thread_time()
            draw()
            seconds[name].append(time.thread_time() - start)
    return seconds


def feed(positives: Positives, rounds: int) -> None:
    """Prints how many rows per second the trainer's input gives and training takes."""
    # Only this function needs TensorFlow, which is slow to import.
    from ncf_model import config
    from ncf_model.network import model
    from ncf_model.training import data, training_loop

    users = len(positives.sizes)
    none = Ragged(np.empty(0, np.int32), np.zeros(users + 1, np.int64))
    interactions = data.Interactions(
        [b"%d" % user for user in range(users)],
        np.arange(users, dtype=np.int32),
        Ragged(positives.items.astype(np.int32), positives.offsets),
        none,
        none,
    )
    num_items = positives.num_items
    settings = config.SamplingConfig(num_negatives=NUM_NEGATIVES)
    rows = data.EpochRows(interactions, settings, num_items=num_items, seed=0)
    network = model.NeuMF(config.ModelConfig(), num_users=users, num_items=num_items)
    loop = training_loop.TrainingLoop(
        network, config.TrainConfig(), num_negatives=NUM_NEGATIVES
    )
    seconds: dict[str, list[float]] = {"drawn": [], "trained": []}
    for epoch in range(1 + rounds):  # The first round compiles and is not counted.
        start = time.process_time()
        drawn = rows.draw(epoch)
        seconds["drawn"].append(time.process_time() - start)
        start = time.perf_counter()
        list(loop.epoch(*drawn, 0, name="epoch"))
        seconds["trained"].append(time.perf_counter() - start)
    rates = {
        name: drawn[1].size / statistics.median(values[1:]) / 1e6
        for name, values in seconds.items()
    }
    print(
        "\nrows a second, million: {drawn:.1f} drawn, {trained:.2f} trained".format(
            **rates
        )
    )


def main() -> None:
    """Prints a table of contenders for each shape."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("shapes", nargs="*", metavar="SHAPE", help=", ".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--ratings", help="a CSV file of (user, item, ...)")
    parser.add_argument("--feed", action="store_true", help="the trainer's input")
    arguments = parser.parse_args()
    shapes = {name: made_up(name) for name in arguments.shapes}
    if arguments.ratings:
        shapes[arguments.ratings] = from_ratings(arguments.ratings)
    for name, positives in shapes.items():
        print(
            f"\n{name}: {len(positives.sizes):,} users, {positives.num_items:,} items, "
            f"{positives.draws:,} negatives an epoch, NumPy {np.__version__}"
        )
        print("| contender | ns per negative | million/s | times ours |")
        print("|---|---|---|---|")
        seconds = {
            contender: statistics.median(values)
            for contender, values in measure(positives, arguments.rounds).items()
        }
        for contender, value in seconds.items():
            print(
                f"| {contender} | {value / positives.draws * 1e9:.1f} "
                f"| {positives.draws / value / 1e6:.0f} "
                f"| {value / seconds['ours']:.2f} |"
            )
        if arguments.feed:
            feed(positives, arguments.rounds)


if __name__ == "__main__":
    main()
