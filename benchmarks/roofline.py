"""Compares the time of a training step with the least that the machine would need.

Usage: python benchmarks/roofline.py [--networks small big] [--batches 256 2048]

The data have the size of MovieLens 1M, with 4 negatives per positive. The work of a
step is counted in two ways: the multiplications and additions of its matrix products,
forwards and backwards, and the bytes that must move, which are the rows of the tables
with both moments of Adam, read and written once. The machine's own speed is measured by
a large matrix product, compiled by XLA, and by copying arrays far larger than the
caches. The floor is the longer of the two times that the work takes at these speeds.
All times are CPU times, hence those of one core, so that they mean something on a busy
machine too.
"""

import argparse
import itertools
import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

GROUP = 5
USERS, ITEMS = 6_040, 3_706
_FLOAT = 4


def products(layers: tuple[int, ...], batch: int) -> list[tuple[int, int, int]]:
    """Returns the shapes (rows, inner, columns) of a step's matrix products, forwards.

    The user's half of the first layer is computed once per group of a positive and its
    negatives. The item's half is computed once per item, and for all items of the table
    where a batch has more rows than the table; see `training_step`.
    """
    half, groups = layers[0] // 2, batch // GROUP
    first = [
        (min(groups, USERS + 1), half, layers[1]),
        (min(batch, ITEMS + 1), half, layers[1]),
    ]
    rest = itertools.pairwise(layers[1:])
    return first + [(batch, inner, columns) for inner, columns in rest]


def operations(layers: tuple[int, ...], mf_dim: int, batch: int) -> float:
    """Returns the FLOPs of a step: the products forwards, and twice that backwards."""
    forwards = sum(2 * n * k * m for n, k, m in products(layers, batch))
    forwards += batch * (mf_dim + 2 * (mf_dim + layers[-1]))
    return 3.0 * forwards


def table_bytes(layers: tuple[int, ...], mf_dim: int, batch: int) -> float:
    """Returns the bytes that a batch reads and writes: its rows and their moments."""
    width = mf_dim + layers[0] // 2
    rows = min(batch // GROUP, USERS + 1) + min(batch, ITEMS + 1)
    return 6.0 * _FLOAT * width * rows


def _cpu_seconds(work: Callable[[], object], *, least: float = 0.5) -> float:
    """Returns the CPU seconds of one call: the least mean of three series of calls."""
    work()
    found = []
    for _ in range(3):
        calls, started = 0, time.process_time()
        while time.process_time() - started < least:
            work()
            calls += 1
        found.append((time.process_time() - started) / calls)
    return min(found)


def bandwidth() -> float:
    """Returns how many bytes a copy of 256 MB reads and writes per CPU second."""
    source = np.ones(1 << 25)
    target = np.empty_like(source)
    return 2.0 * source.nbytes / _cpu_seconds(lambda: np.copyto(target, source))


def peak(size: int = 1024) -> float:
    """Returns the FLOPs per CPU second of a product of square matrices, by XLA."""
    import tensorflow as tf

    square = tf.ones((size, size))
    work = tf.function(lambda: square @ square, jit_compile=True, autograph=False)
    return 2.0 * size**3 / _cpu_seconds(lambda: work().numpy())


def measured(name: str, batch: int) -> float:
    """Returns the CPU seconds of a step of our training loop."""
    from benchmarks import training

    network = training.new_network(training.NETWORKS[name], USERS, ITEMS)
    train = training.looped(network, batch)
    groups = max(1, batch // GROUP)
    rows = training.made_up(groups * (200 if batch < 1_000 else 60))
    return _cpu_seconds(lambda: train(rows)) / (len(rows[0]) / groups)


def table(networks: list[str], batches: list[int]) -> Iterator[str]:
    """Yields the lines of the table, in Markdown."""
    from benchmarks import training

    moved, large = bandwidth(), peak()
    yield f"per core: {large / 1e9:.0f} GFLOP/s, {moved / 1e9:.1f} GB/s copied"
    yield "| network | batch | MFLOP | MB of rows | floor | step | of it |"
    yield "|---|---|---|---|---|---|---|"
    for name in networks:
        settings = training.NETWORKS[name]
        layers, width = tuple(settings.layers), settings.mf_dim
        for batch in batches:
            flops = operations(layers, width, batch)
            rows = table_bytes(layers, width, batch)
            floor = max(flops / large, rows / moved)
            step = measured(name, batch)
            yield (
                f"| {name} | {batch} | {flops / 1e6:.1f} | {rows / 1e6:.2f} | "
                f"{floor * 1e6:,.0f} us | "
                f"{step * 1e6:,.0f} us | {floor / step:.0%} |"
            )


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--networks", nargs="+", default=["small", "big"])
    parser.add_argument("--batches", nargs="+", type=int, default=[256, 2_048])
    chosen = parser.parse_args()
    for line in table(chosen.networks, chosen.batches):
        print(line, flush=True)


if __name__ == "__main__":
    main()
