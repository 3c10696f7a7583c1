"""Times our compiled training loop against Keras' own `fit` and against RecBole.

Usage: python benchmarks/training.py speed [--networks small big] [--batches 256 ...]
                                           [--peer PYTHON] [--bfloat16]
       python benchmarks/training.py table [--users 10000 10000000]
       python benchmarks/training.py accuracy FILE [--network small] [--epochs 10]
                                              [--batch 256] [--precision float32]

`speed` prints examples (positives and negatives) per second on made-up data of the size
of MovieLens 1M. Each round times every contender once, so that all meet the same
machine; the figures are medians. `--peer` names the Python of an environment with
RecBole (1.2.1, a CPU build of PyTorch, NumPy below 2, pandas below 2.3), whose figures
include its sampling. `--bfloat16` adds our loop with `mixed_bfloat16`, which like
RecBole needs a process of its own.

`table` prints the microseconds of a step of our loop for each number of users.

`accuracy` prints HR@10 and NDCG@10 on the validation items of a file of ratings
(u.data, or CSV with a header; user, item, rating, time), of our loop and of `fit`,
after the same number of epochs over the same rows. The last item of each user is not
used at all.
"""

import argparse
import functools
import os
import pathlib
import statistics
import subprocess
import sys
import time
import typing
from collections.abc import Callable, Mapping, Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import pyarrow.csv

from ncf_model.config import ModelConfig, SamplingConfig, TrainConfig
from ncf_model.network import model
from ncf_model.sampling import negatives as negatives_module
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data, training_loop, validation

NETWORKS = {
    "small": ModelConfig(mf_dim=8, layers=(64, 32, 16, 8)),
    "big": ModelConfig(mf_dim=64, layers=(256, 256, 128, 64)),
}
NUM_USERS, NUM_ITEMS, NUM_NEGATIVES = 6_040, 3_706, 4
SECONDS = 1.0

Rows = tuple[np.ndarray, np.ndarray]


def made_up(groups: int, num_users: int = NUM_USERS) -> Rows:
    """Returns made-up rows: users [groups] and items [groups, 5].

    The items' popularity follows Zipf's law.
    """
    rng = np.random.default_rng(0)
    users = rng.integers(num_users, size=groups, dtype=np.int32)
    items = rng.zipf(1.2, size=(groups, 1 + NUM_NEGATIVES)) % NUM_ITEMS
    return users, items.astype(np.int32)


def new_network(settings: ModelConfig, num_users: int, num_items: int) -> model.NeuMF:
    """Returns an untrained network; every call gives the same weights."""
    keras.utils.set_random_seed(0)
    return model.NeuMF(settings, num_users=num_users, num_items=num_items)


def looped(
    network: model.NeuMF,
    batch: int,
    *,
    rate: float = 1e-3,
    precision: str = "float32",
) -> Callable[[Rows], None]:
    """Returns a function that trains `network` for an epoch with our loop."""
    settings = TrainConfig(
        batch_size=batch,
        learning_rate=rate,
        learning_rate_schedule="constant",
        precision=precision,
    )
    loop = training_loop.TrainingLoop(network, settings, num_negatives=NUM_NEGATIVES)

    def train(rows: Rows) -> None:
        list(loop.epoch(*rows, 0, name="epoch"))
        loop.write_weights(decay_steps=0)

    return train


def fitted(
    network: model.NeuMF, batch: int, *, rate: float = 1e-3
) -> Callable[[Rows], None]:
    """Returns a function that trains `network` for an epoch with Keras' `fit`."""
    network.compile(
        keras.optimizers.Adam(rate, epsilon=1e-8),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )

    def train(rows: Rows) -> None:
        users, items = rows
        labels = np.zeros(items.shape, np.float32)
        labels[:, 0] = 1
        inputs = [np.repeat(users, items.shape[1]), items.ravel()]
        network.fit(
            inputs, labels.ravel(), batch_size=batch, epochs=1, verbose=0, shuffle=True
        )

    return train


CONTENDERS: dict[str, Callable[..., Callable[[Rows], None]]] = {
    "ours": looped,
    "fit": fitted,
}


def speed(args: argparse.Namespace) -> None:
    """Prints the table of examples per second."""
    peers = start_peers(bfloat16=args.bfloat16, recbole=args.peer)
    names = [*args.contenders, *peers]
    print("network  batch  " + "".join(f"{name:>12}" for name in names))
    for network in args.networks:
        for batch in args.batches:
            found = rates(network, batch, args.contenders, peers, args.rounds)
            medians = [statistics.median(found[name]) for name in names]
            cells = "".join(f"{median:12,.0f}" for median in medians)
            print(f"{network:7} {batch:6}  {cells}", flush=True)


def rates(
    network: str,
    batch: int,
    contenders: Sequence[str],
    peers: Mapping[str, "Peer"],
    rounds: int,
) -> dict[str, list[float]]:
    """Returns each contender's examples per second, round by round."""
    timers: dict[str, Callable[[], float]] = {
        name: functools.partial(peer.timed, network, batch)
        for name, peer in peers.items()
    }
    for timed in timers.values():
        timed()
    for name in contenders:
        start = new_network(NETWORKS[network], NUM_USERS, NUM_ITEMS)
        timers[name] = timer(CONTENDERS[name](start, batch), batch)
    found: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(rounds):
        for name, timed in timers.items():
            found[name].append(timed())
    return found


def start_peers(*, bfloat16: bool, recbole: str | None) -> dict[str, "Peer"]:
    """Returns the contenders that need a process of their own.

    Args:
        bfloat16: whether our loop in `mixed_bfloat16` is one of them.
        recbole: the Python of an environment that has RecBole; None leaves RecBole out.
    """
    peers = {}
    if bfloat16:
        peers["bfloat16"] = Peer(sys.executable, __file__, "answer")
    if recbole:
        script = pathlib.Path(__file__).with_name("recbole_peer.py")
        peers["recbole"] = Peer(recbole, str(script))
    return peers


class Peer:
    """A contender in a process of its own."""

    def __init__(self, *command: str) -> None:
        """Starts the process with `command`."""
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._questions = typing.cast(typing.IO[str], process.stdin)
        self._answers = typing.cast(typing.IO[str], process.stdout)

    def timed(self, network: str, batch: int) -> float:
        """Returns the examples per second of an epoch.

        In the first call for a network and a batch the process also prepares the data.
        """
        print(network, batch, file=self._questions, flush=True)
        return float(self._answers.readline())


def answer(_: argparse.Namespace) -> None:
    """Answers each line "network batch" of standard input with examples per second.

    The process of a `Peer` runs this function, to time our loop in `mixed_bfloat16`.
    """
    timed = functools.cache(_bfloat16_timer)
    for line in sys.stdin:
        network, batch = line.split()
        print(timed(network, int(batch))(), flush=True)


def _bfloat16_timer(network: str, batch: int) -> Callable[[], float]:
    start = new_network(NETWORKS[network], NUM_USERS, NUM_ITEMS)
    return timer(looped(start, batch, precision="mixed_bfloat16"), batch)


def timer(train: Callable[[Rows], None], batch: int) -> Callable[[], float]:
    """Returns a function that trains for about a second and returns examples/s."""
    groups = max(1, batch // (1 + NUM_NEGATIVES)) * 20
    train(made_up(groups))
    started = time.perf_counter()
    train(made_up(groups))
    longer = min(2_000_000, int(groups * SECONDS / (time.perf_counter() - started)))
    rows = made_up(max(groups, longer))

    def timed() -> float:
        started = time.perf_counter()
        train(rows)
        return rows[1].size / (time.perf_counter() - started)

    return timed


def table(args: argparse.Namespace) -> None:
    """Prints the time of a training step for each number of users."""
    for num_users in args.users:
        network = new_network(NETWORKS["small"], num_users, NUM_ITEMS)
        settings = TrainConfig(batch_size=256)
        loop = training_loop.TrainingLoop(
            network, settings, num_negatives=NUM_NEGATIVES
        )
        rows = made_up(200_000, num_users)
        times = []
        for _ in range(1 + args.rounds):
            started = time.perf_counter()
            list(loop.epoch(*rows, 0, name="epoch"))
            times.append((time.perf_counter() - started) / loop.steps(len(rows[0])))
        print(
            f"{num_users:10,} users: {statistics.median(times[1:]) * 1e6:.0f} us/step"
        )


def accuracy(args: argparse.Namespace) -> None:
    """Prints HR@10 and NDCG@10 of our loop and of `fit` after every epoch."""
    rows, users, items, lists = leave_two_out(args.file)
    for name in args.contenders:
        network = new_network(NETWORKS[args.network], len(users), len(items))
        validator = validation.Validation(network, *lists, users=users, items=items)
        more = {"precision": args.precision} if name == "ours" else {}
        train = CONTENDERS[name](network, args.batch, rate=args.rate, **more)
        for epoch in range(args.epochs):
            train(rows.draw(epoch))
            hit_rate, ndcg = validator.metrics()
            print(f"{name} epoch {epoch + 1}: {hit_rate:.4f} {ndcg:.4f}", flush=True)


def leave_two_out(path: str) -> tuple:
    """Returns training rows, both vocabularies and the validation lists of a file.

    The last item of each user is left out; the one before is the validation item.
    """
    delimiter, columns = ("\t", list("uirt")) if path.endswith(".data") else (",", None)
    ratings = pyarrow.csv.read_csv(
        path,
        pyarrow.csv.ReadOptions(column_names=columns),
        pyarrow.csv.ParseOptions(delimiter=delimiter),
    )
    raw = [ratings.column(i).to_numpy() for i in (0, 1, 3)]
    order = np.lexsort((np.arange(len(raw[0])), raw[2], raw[0]))
    (user_ids, owners), (item_ids, items) = (
        np.unique(column[order], return_inverse=True) for column in raw[:2]
    )
    sizes = np.bincount(owners)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    names = [str(user).encode() for user in user_ids]
    keys = negatives_module.user_keys(names, 0)
    negatives, ends = negatives_module.evaluation_negatives(
        items,
        offsets,
        keys,
        num_items=len(item_ids),
        count=99,
        stream=negatives_module.VALIDATION_STREAM,
    )
    left = np.arange(len(owners)) < (offsets[1:] - 2)[owners]
    none = Ragged(np.empty(0, np.int32), np.zeros(len(names) + 1, np.int64))
    positives = Ragged(
        items[left].astype(np.int32), np.concatenate([[0], np.cumsum(sizes - 2)])
    )
    interactions = data.Interactions(
        names, np.arange(len(names), dtype=np.int32), positives, none, none
    )
    rows = data.EpochRows(
        interactions, SamplingConfig(), num_items=len(item_ids), seed=0
    )
    candidates = [
        [items[last - 2], *negatives[start:end]]
        for last, start, end in zip(offsets[1:], ends[:-1], ends[1:], strict=True)
    ]
    users = {name: index for index, name in enumerate(names)}
    return rows, users, {i: i for i in range(len(item_ids))}, (names, candidates)


def main() -> None:
    """Reads the command's arguments and prints the figures of one subcommand."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--only", dest="contenders", action="append", choices=list(CONTENDERS)
    )
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("speed")
    command.add_argument("--networks", nargs="+", default=list(NETWORKS))
    command.add_argument("--batches", nargs="+", type=int, default=[256, 2048, 16384])
    command.add_argument("--peer", help="the Python of an environment with RecBole")
    command.add_argument("--bfloat16", action="store_true")
    command.set_defaults(run=speed)
    commands.add_parser("answer").set_defaults(run=answer)
    command = commands.add_parser("table")
    command.add_argument("--users", nargs="+", type=int, default=[10_000, 10_000_000])
    command.set_defaults(run=table)
    command = commands.add_parser("accuracy")
    command.add_argument("file")
    command.add_argument("--network", choices=list(NETWORKS), default="small")
    command.add_argument("--precision", default="float32")
    command.add_argument("--epochs", type=int, default=10)
    command.add_argument("--batch", type=int, default=256)
    command.add_argument("--rate", type=float, default=1e-3)
    command.set_defaults(run=accuracy)
    args = parser.parse_args()
    args.contenders = args.contenders or list(CONTENDERS)
    args.run(args)


if __name__ == "__main__":
    main()
