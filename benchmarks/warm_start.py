"""Times a warm start against a cold one on the last part of a file of ratings.

Usage: python benchmarks/warm_start.py RATINGS [--share 0.9] [--epochs 1 2 4]
                                       [--rates 0.3]

The ratings (CSV: user, item, rating, time) are cut by time. A model is trained on the
first part, as on the night before. Then models are trained on all ratings, one from
random numbers (cold) and others from the first model (warm). The script prints a line
per training: HR@10 and NDCG@10 on the evaluation lists (each user's latest item among
99 others), the seconds of the whole training with export, and the CPU seconds. Neither
Beam nor TFX's runner is used.
"""

import argparse
import json
import os
import pathlib
import tempfile
import time
import types
from collections.abc import Mapping, Sequence
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import pyarrow as pa
import tensorflow as tf
from pyarrow import csv

from components.interactions_example_gen.config import ReadingConfig
from components.negative_sampling import splitting
from components.negative_sampling.plan import Plan
from ncf_model import features, trainer
from ncf_model.config import ModelConfig, SamplingConfig, TrainConfig
from ncf_model.evaluation import ranking
from pipeline.offline import indexed, rows

SEED = 20240601
_LISTS_AT_A_TIME = 512


def cut(ratings: str, folder: pathlib.Path, share: float) -> list[str]:
    """Writes two files, the first part of the ratings and all; returns their paths."""
    table = csv.read_csv(ratings)
    times = table.column(3).to_numpy()
    first = table.filter(pa.array(times <= np.quantile(times, share)))
    files = []
    for name, part in (("first", first), ("all", table)):
        files.append(str(folder / f"{name}.csv"))
        csv.write_csv(part, files[-1])
    return files


class Night:
    """The records of one night, in the form that NegativeSampling writes."""

    def __init__(self, ratings: str, folder: pathlib.Path) -> None:
        """Reads the ratings of the night, splits them and writes the records."""
        self.folder = folder
        found = indexed.read(ratings, ReadingConfig())
        sampling = SamplingConfig()
        plan = Plan(
            config=sampling,
            epochs=1,
            refit=True,
            seed=SEED,
            num_items=len(found.item_ids),
            num_users=len(found.users.user_ids),
        )
        self._items = found.item_ids
        split = splitting.split(found.users.items, found.users.timestamps, sampling)
        parts = {
            features.POSITIVES: split.positives,
            features.VALIDATION_ITEMS: split.validation,
            features.EVAL_ITEMS: split.evaluation,
        }
        self._write(
            features.TRAIN_SPLIT,
            [
                {features.USER_ID: [raw], features.USER_INDEX: [index]}
                | {
                    name: part.values[slice(*part.offsets[index : index + 2])].tolist()
                    for name, part in parts.items()
                }
                for index, raw in enumerate(found.users.user_ids)
            ],
        )
        self.lists = {}
        for name in (features.VALIDATION_SPLIT, features.EVAL_SPLIT):
            self.lists[name] = [
                {
                    features.USER_ID: [found.users.user_ids[user]],
                    features.CANDIDATE_IDS: [self._items[i] for i in items[~masked]],
                }
                for block in rows.lists(found, plan, name)
                for user, items, masked in zip(
                    block.users, block.items, block.masked, strict=True
                )
            ]
            self._write(name, self.lists[name])
        self._write_vocabularies(found)

    def _write_vocabularies(self, found: indexed.Indexed) -> None:
        assets = self.folder / "transform_fn" / "assets"
        assets.mkdir(parents=True)
        (self.folder / "transformed_metadata").mkdir()
        for name, ids in (
            (features.USER_VOCABULARY, found.users.user_ids),
            (features.ITEM_VOCABULARY, found.item_ids),
        ):
            (assets / name).write_bytes(b"".join(raw + b"\n" for raw in ids))

    def _write(self, split: str, records: Sequence[Mapping[str, Any]]) -> None:
        (self.folder / split).mkdir(parents=True)
        with tf.io.TFRecordWriter(str(self.folder / split / "data.gz"), "GZIP") as to:
            for record in records:
                to.write(example(record))

    def train(self, name: str, **train: Any) -> dict[str, Any]:
        """Trains; returns the history, with the metrics on the evaluation lists."""
        base = train.pop("base", None)
        model = self.folder / name
        settings = ModelConfig().model_dump(mode="json")
        fn_args = types.SimpleNamespace(
            train_files=[str(self.folder / features.TRAIN_SPLIT / "*")],
            eval_files=[str(self.folder / features.VALIDATION_SPLIT / "*")],
            transform_graph_path=str(self.folder),
            serving_model_dir=str(model),
            model_run_dir=str(self.folder / f"{name}.run"),
            base_model=base,
            custom_config={
                "model": {"history": settings["history"]},
                "train": TrainConfig(**train).model_dump(mode="json"),
                "sampling": SamplingConfig().model_dump(mode="json"),
                "seed": SEED,
                "checkpoints": str(self.folder / "checkpoints"),
            },
        )
        started, cpu = time.monotonic(), time.process_time()
        trainer.run_fn(fn_args)
        seconds = time.monotonic() - started, time.process_time() - cpu
        text = (self.folder / f"{name}.run" / trainer.HISTORY_FILE).read_text()
        ranks = self._ranks(str(model))
        return json.loads(text) | {
            "model": str(model),
            "wall": seconds[0],
            "cpu": seconds[1],
            "hit_rate": float(ranking.hit_rate(ranks, 10).mean()),
            "test_ndcg": float(ranking.ndcg(ranks, 10).mean()),
        }

    def _ranks(self, model: str) -> np.ndarray:
        evaluate = tf.saved_model.load(model).signatures["evaluate"]
        records = [example(record) for record in self.lists[features.EVAL_SPLIT]]
        ranks = []
        for start in range(0, len(records), _LISTS_AT_A_TIME):
            block = tf.constant(records[start : start + _LISTS_AT_A_TIME])
            scores = evaluate(examples=block)["scores"].numpy()
            ranks.append(np.sum(scores[:, 1:] >= scores[:, :1], axis=1))
        return np.concatenate(ranks)


def example(record: Mapping[str, Any]) -> bytes:
    """Returns a record as a serialized Example."""
    made = tf.train.Example()
    for name, values in record.items():
        feature = made.features.feature[name]
        if values and isinstance(values[0], bytes):
            feature.bytes_list.value.extend(values)
        else:
            feature.int64_list.value.extend(values)
    return made.SerializeToString()


def show(name: str, told: Mapping[str, Any]) -> None:
    """Prints the line of one training."""
    linear = told["linear"]
    print(
        f"{name:24} HR@10 {told['hit_rate']:.4f} NDCG@10 {told['test_ndcg']:.4f} "
        f"{told['wall']:6.1f} s, CPU {told['cpu']:6.1f} s;",
        f"{len(told['epochs'])} epochs, best {told['best_epoch']};",
        f"linear l2 {linear['l2']}, weight {linear['weight']}",
        flush=True,
    )


def main() -> None:
    """Trains as the command line says, and prints a line per training."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("ratings")
    parser.add_argument("--share", type=float, default=0.9)
    parser.add_argument("--epochs", type=int, nargs="+", default=[1, 2, 4])
    parser.add_argument("--rates", type=float, nargs="+", default=[0.3])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        first, everything = cut(args.ratings, root, args.share)
        before = Night(first, root / "first")
        night = Night(everything, root / "all")
        base = before.train("cold")
        show("the night before", base)
        show("cold", night.train("cold"))
        for rate in args.rates:
            for epochs in args.epochs:
                name = f"warm, {epochs} epochs, rate {rate}"
                told = night.train(
                    name.replace(" ", ""),
                    base=base["model"],
                    warm_start="latest_blessed",
                    warm_epochs=epochs,
                    warm_rate=rate,
                )
                show(name, told)
                print(" " * 24, told["warm_start"], flush=True)


if __name__ == "__main__":
    main()
