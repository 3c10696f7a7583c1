"""The parts of `make bench`: each runs a benchmark of this folder for its figures."""

import argparse
import os
import pathlib
from collections.abc import Callable, Iterator

from benchmarks.results import Figure

Part = Callable[[argparse.Namespace], Iterator[Figure]]


def chain(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields the seconds, CPU time and memory of `ncf run`, from command to table."""
    from benchmarks import chain as bench

    datasets = _datasets(options.data_dir)
    if not options.full:
        datasets = datasets[:1]
    for dataset in datasets:
        runs = [
            bench.run_once(dataset, options.data_dir, [])
            for _ in range(3 if options.full else 1)
        ]
        for name in runs[0]:
            values = [run[name] for run in runs]
            yield Figure(f"chain/{dataset}/{name}", _chain_unit(name), values)


def _chain_unit(name: str) -> str:
    """Returns the unit of one of the chain's figures."""
    if name == "mrr" or "@" in name:
        return "metric"
    named = {"peak MB": "MB", "CPU s": "CPU s", "training speed": "examples/s"}
    return named.get(name, "s")


def _datasets(data_dir: str | None) -> list[str]:
    """Returns the data sets that are there; a benchmark downloads nothing."""
    folder = pathlib.Path(data_dir) if data_dir else None
    named = ("ml-100k", "ml-1m")
    found = [name for name in named if folder and (folder / name).is_dir()]
    return found or ["synthetic"]


def training(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields the training speed of our loop, of Keras' `fit` and of RecBole.

    RecBole is left out where its environment is not installed.
    """
    from benchmarks import training as bench

    full = options.full
    peers = bench.start_peers(bfloat16=full, recbole=options.peer)
    for network in bench.NETWORKS if full else ("small",):
        for batch in (256, 2_048, 16_384) if full else (2_048,):
            found = bench.rates(
                network, batch, list(bench.CONTENDERS), peers, 5 if full else 3
            )
            for name, rates in found.items():
                yield Figure(f"training/{network}/{batch}/{name}", "examples/s", rates)


def sampling(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields the time per negative of our sampler, NumPy and the official NCF's two."""
    from benchmarks import sampling as bench

    for shape in bench.SHAPES if options.full else ("ml-1m",):
        positives = bench.made_up(shape)
        for name, seconds in bench.measure(positives, 7 if options.full else 3).items():
            per_draw = [value / positives.draws * 1e9 for value in seconds]
            yield Figure(f"sampling/{shape}/{name}", "ns", per_draw)


def evaluator(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields what the Evaluator takes to rank whole catalogues with TFMA."""
    from benchmarks import evaluator as bench

    for users in (2_000, 8_000) if options.full else (500,):
        found = bench.measure(users, bench.options(str(users)))
        for name, value in found.items():
            unit = {"seconds": "s", "CPU seconds": "CPU s"}.get(name, "MB")
            yield Figure(f"evaluator/{users}/{name}", unit, [value])


def serving(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields the time of lists for one user, for all users, and over HTTP."""
    from benchmarks import serving as bench

    for items in (bench.ITEMS, 27_000, 1_000_000) if options.full else (bench.ITEMS,):
        yield Figure(f"serving/{items}/one user", "s", bench.one(items, 100))
    if not options.full:
        return
    yield Figure("serving/everybody", "s", bench.everybody())
    for clients, seconds in bench.http_times(10, 8).items():
        yield Figure(f"serving/http/{clients} clients", "s", seconds)
    if options.peer:
        for peer, measure in (("implicit", bench.implicit), ("recbole", bench.recbole)):
            for name, value in measure(options.peer).items():
                unit = "CPU s" if name.endswith("_cpu") else "s"
                yield Figure(f"serving/{peer}/{name}", unit, [value])


def scaling(options: argparse.Namespace) -> Iterator[Figure]:
    """Yields what the nodes up to NegativeSampling take, by the size of the data."""
    from benchmarks import scaling as bench

    sizes = bench.MILLIONS if options.full else bench.MILLIONS[:1]
    settings = bench.parser().parse_args([])
    for millions in sizes:
        for node, found in bench.measure(millions, settings).items():
            for name, value in found.items():
                unit = {"seconds": "s", "cpu_seconds": "CPU s"}.get(name, "MB")
                yield Figure(f"scaling/{millions:g}M/{node}/{name}", unit, [value])


PARTS: dict[str, Part] = {
    part.__name__: part
    for part in (chain, training, sampling, evaluator, serving, scaling)
}


def quiet_tensorflow() -> None:
    """Hides TensorFlow's log messages; call this before TensorFlow is imported."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
