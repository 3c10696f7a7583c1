"""`ncf sample`: files for use outside TFX have the rows of the pipeline."""

import collections
import json
import pathlib
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet

from components.negative_sampling import ranked_lists, splitting, training_rows
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from ncf_model.config import SamplingConfig
from ncf_model.sampling import negatives
from ncf_model.sampling.ragged import Ragged
from pipeline import config as config_module
from pipeline.data.catalogue import Dataset
from pipeline.offline import sample

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Most frequent first, then by the bytes of the id, descending.
ITEMS = [b"7", b"3", b"5", b"4", b"2", b"10", b"1"]
USERS = {b"d": [1, 2, 5, 0], b"c": [0], b"b": [6, 0], b"a": [0, 4, 1, 3]}
POSITIVES = {0: [1, 2], 1: [0], 2: [6], 3: [0, 4]}
REFIT = {0: [1, 2, 5], 1: [0], 2: [6], 3: [0, 4, 1]}


def _config(**settings):
    values = {"num_negatives": 3, "eval_negatives": 4} | settings
    return config_module.load(
        None, [f"sampling.{k}={v}" for k, v in values.items()] + ["seed=5"]
    )


def _sample(dataset, output, *, settings=(), epochs=2, refit=False, **form):
    sizes = {"train_prebatch_size": 7, "eval_prebatch_size": 10}
    return sample.sample(
        _config(**dict(settings)),
        dataset,
        output,
        form=sample.OutputForm(**(sizes | form)),
        epochs=epochs,
        refit=refit,
    )


def _component(**settings):
    """Returns the users as Transform gives them, their split, and a sampling plan."""
    config = SamplingConfig(
        **{"mode": "materialised", "num_negatives": 3, "eval_negatives": 4} | settings
    )
    offsets = np.cumsum([0, *map(len, USERS.values())])
    items = Ragged(np.concatenate(list(USERS.values())), offsets)
    users = Users(list(USERS), np.arange(4), items, np.zeros(11, np.int64))
    plan = Plan(config=config, epochs=2, refit=True, seed=5, num_items=7, num_users=4)
    return users, splitting.split(items, users.timestamps, config), plan


def _rows(path):
    """The rows of a Parquet file as a multiset of tuples."""
    table = parquet.read_table(path)
    return collections.Counter(
        zip(*(column.to_pylist() for column in table.columns), strict=True)
    )


def test_ids_stand_on_the_line_of_their_index(dataset, tmp_path):
    _sample(dataset, tmp_path / "out", format="parquet")
    items = (tmp_path / "out" / "items.txt").read_bytes()
    assert items.split() == ITEMS
    assert (tmp_path / "out" / "users.txt").read_bytes() == b"d\nc\nb\na\n"


@pytest.mark.parametrize("refit", [False, True])
@pytest.mark.parametrize("distribution", ["uniform", "popularity"])
def test_training_rows_are_those_of_the_component(
    dataset, tmp_path, refit, distribution
):
    settings = {"distribution": distribution, "popularity_alpha": 1.0}
    _sample(dataset, tmp_path / "out", settings=settings, refit=refit, format="parquet")
    # The number of each item's training interactions, over all users.
    counts = np.array([2, 1, 1, 0, 1, 0, 1])
    weights = negatives.popularity_weights(counts, 1.0)
    uniform = distribution == "uniform"
    users, split, plan = _component(**settings)
    (batch,) = training_rows.batches(
        users, split, plan=plan, weights=None if uniform else weights
    )
    positives = REFIT if refit else POSITIVES
    name = "refit_negatives" if refit else "negatives"
    for epoch in (0, 1):
        expected = collections.Counter()
        for row in batch.to_pylist():
            (user,) = row["user_index"]
            count = 3 * len(positives[user])
            drawn = row[name][epoch * count : (epoch + 1) * count]
            expected.update((user, item, 1, epoch) for item in positives[user])
            expected.update((user, item, 0, epoch) for item in drawn)
        assert _rows(tmp_path / "out" / "train" / f"epoch_{epoch}.parquet") == expected


@pytest.mark.parametrize("with_replacement", [False, True])
@pytest.mark.parametrize("name", ["validation", "eval"])
def test_lists_are_those_of_the_component(dataset, tmp_path, name, with_replacement):
    settings = {"eval_with_replacement": with_replacement}
    _sample(dataset, tmp_path / "out", settings=settings, format="parquet")
    users, split, plan = _component(**settings)
    batch, _ = ranked_lists.lists(
        *(users, split, name),
        plan=plan,
        vocabulary=pa.array(ITEMS, pa.large_binary()),
        counts=np.zeros(7, np.int64),
    )
    table = parquet.read_table(tmp_path / "out" / f"{name}_data.parquet")
    found = []
    for row in table.to_pylist():
        if row["held_out"]:
            found.append((list(USERS)[row["user_id"]], []))
        found[-1][1].append(ITEMS[row["item_id"]])
    expected = [(r["user_id"][0], r["candidate_ids"]) for r in batch.to_pylist()]
    assert found == expected
    assert len(found) == {"validation": 2, "eval": 3}[name]


def _examples(folder, names, size):
    """Returns what the official NCF's reader reads in a folder, in order of shards."""
    spec = {name: tf.io.FixedLenFeature([size, 1], tf.int64) for name in names}
    paths = [str(folder / f"shard_{i}.tfrecords") for i in range(16)]
    records = tf.data.TFRecordDataset(paths)
    parsed = records.map(lambda record: tf.io.parse_single_example(record, spec))
    return [
        {k: v[:, 0].tolist() for k, v in example.items()}
        for example in parsed.as_numpy_iterator()
    ]


def test_official_training_files(dataset, tmp_path):
    _sample(dataset, tmp_path / "out")
    names = ("user_id", "item_id", "labels", "valid_point_mask")
    found = _examples(tmp_path / "out" / "training_cycle_1", names, 7)
    assert len(found) == 4
    assert [sum(example["valid_point_mask"]) for example in found] == [7, 7, 7, 3]
    assert found[0]["labels"] == [1, 0, 0, 0, 1, 0, 0]
    # Padding runs over all 4 users and all 7 items.
    assert found[3]["user_id"][3:] == [0, 1, 2, 3]
    assert found[3]["item_id"][3:] == [0, 1, 2, 3]
    assert found[3]["labels"][3:] == [0, 0, 0, 0]


def test_official_evaluation_files(dataset, tmp_path):
    _sample(dataset, tmp_path / "out")
    names = ("user_id", "item_id", "duplicate_mask")
    first, second = _examples(tmp_path / "out" / "eval_data", names, 10)
    assert first["user_id"] == [0] * 5 + [2] * 5
    assert (first["item_id"][4], first["item_id"][9]) == (0, 0)
    # The held-out item is last; masked copies of it fill up a short list.
    assert first["item_id"][0] == 0
    assert first["duplicate_mask"] == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    assert second["user_id"] == [3] * 5 + [0] * 5
    assert second["item_id"][4] == 3
    assert second["duplicate_mask"][5:] == [1, 1, 1, 1, 0]


def test_metadata(dataset, tmp_path):
    returned = _sample(dataset, tmp_path / "out")
    found = json.loads((tmp_path / "out" / "metadata.json").read_text())
    assert found == returned
    assert found.pop("sampling")["num_negatives"] == 3
    assert found == {
        "num_users": 4,
        "num_items": 7,
        "constructor_type": "bisection",
        "num_train_elements": 24,
        "num_eval_elements": 15,
        "num_train_epochs": 2,
        "train_prebatch_size": 7,
        "eval_prebatch_size": 10,
        "num_train_steps": 4,
        "num_eval_steps": 2,
        "num_eval_negatives": 4,
        "seed": 5,
    }


def test_refit_has_no_lists_to_choose_an_epoch_by(dataset, tmp_path):
    found = _sample(dataset, tmp_path / "out", refit=True)
    assert found["num_train_elements"] == 32
    assert not (tmp_path / "out" / "validation_data").exists()


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ["4", "5"]),
        # A user's interactions get the times 0, 1 and 2 by their order.
        ({"split": "temporal", "split_time": 1}, ["4", "2", "5"]),
    ],
)
def test_without_times_the_order_of_rows_counts(tmp_path, settings, expected):
    path = tmp_path / "pairs.csv"
    path.write_text("user,item\na,1\nb,3\na,2\nb,4\na,5\n")
    dataset = Dataset("pairs", path)
    _sample(dataset, tmp_path / "out", settings=settings, format="parquet")
    eval_rows = parquet.read_table(tmp_path / "out" / "eval_data.parquet").to_pylist()
    items = (tmp_path / "out" / "items.txt").read_text().split()
    held_out = [items[row["item_id"]] for row in eval_rows if row["held_out"]]
    assert held_out == expected


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"eval_prebatch_size": 12}, r"multiple of a list's length.* = 5; got 12"),
        ({"train_prebatch_size": 0}, "`train_prebatch_size` must be 1 or more; got 0"),
        ({"epochs": 0}, "`epochs` must be 1 or more; got 0"),
        ({"format": "csv"}, r"must be one of .*; got 'csv'"),
        ({"settings": {"eval_negatives": "all"}}, "must be a number.*got 'all'"),
    ],
)
def test_refuses(dataset, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        _sample(dataset, tmp_path / "out", **arguments)
    assert not (tmp_path / "out").exists()


def test_output_must_be_new_or_empty(dataset, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    _sample(dataset, output, format="parquet")
    with pytest.raises(ValueError, match="must be a new or empty folder"):
        _sample(dataset, output, format="parquet")


def test_who_trains_on_everything_stops_it_and_leaves_nothing(tmp_path):
    path = tmp_path / "all.csv"
    path.write_text("user,item,timestamp\na,1,1\na,2,2\nb,1,1\nb,2,9\n")
    settings = {"split": "temporal", "split_time": 5}
    with pytest.raises(ValueError, match="has all 2 items"):
        _sample(Dataset("all", path), tmp_path / "out", settings=settings, refit=True)
    assert [p.name for p in tmp_path.iterdir()] == ["all.csv"]


def test_nobody_to_evaluate(tmp_path):
    path = tmp_path / "single.csv"
    path.write_text("user,item,timestamp\na,1,1\nb,2,1\n")
    with pytest.raises(ValueError, match="Nothing can be evaluated"):
        _sample(Dataset("single", path), tmp_path / "out")


def test_command_loads_neither_tfx_nor_beam(dataset, tmp_path):
    command = ["sample", "--dataset", str(dataset.path), "--format", "parquet"]
    command += ["--output", str(tmp_path / "out"), "--epochs", "1"]
    code = (
        "import sys; from pipeline.cli import app\n"
        f"app({command!r}, standalone_mode=False)\n"
        "print(sorted({'tfx', 'apache_beam', 'tensorflow_transform'} & {*sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"
    assert (tmp_path / "out" / "train" / "epoch_0.parquet").exists()
    assert not (tmp_path / "out" / "train" / "epoch_1.parquet").exists()
