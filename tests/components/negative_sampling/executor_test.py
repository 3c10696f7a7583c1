"""The component's executor on real artifacts and a real Transform, with Beam."""

import collections
import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf
from tfx.components.transform import executor as transform_executor
from tfx.dsl.components.base import base_beam_executor
from tfx.proto import transform_pb2
from tfx.types import artifact_utils, standard_artifacts
from tfx.utils import proto_utils

from components.negative_sampling import executor
from ncf_model import progress
from ncf_model.config import SamplingConfig
from ncf_model.training import data

SCHEMA = pathlib.Path(__file__).parents[3] / "pipeline" / "schema" / "schema.pbtxt"
# User -> items by time. "cat" has four users, others fewer; "über all" lacks two items.
USERS = {
    "one": ["cat"],
    "two": ["dog", "cat"],
    "three": ["cat", "a b", "007"],
    "über all": ["é", "cat", "dog", "007", "a b", "x"],
    "five": ["x", "y", "z", "dog", "é"],
}
# With a file of requirements TFX does not build a package of itself for Beam.
BEAM = "--requirements_file=/dev/null"


def _context(folder, workers=1):
    mode = "in_memory" if workers == 1 else "multi_threading"
    return base_beam_executor.BaseBeamExecutor.Context(
        tmp_dir=str(folder / "tmp"),
        unique_id="1",
        beam_pipeline_args=[
            BEAM,
            f"--direct_num_workers={workers}",
            f"--direct_running_mode={mode}",
        ],
    )


def _artifact(kind, folder, split=None):
    artifact = kind()
    artifact.uri = str(folder)
    if split:
        artifact.split_names = artifact_utils.encode_split_names([split])
        (folder / f"Split-{split}").mkdir(parents=True)
    return artifact


def _write(records, file):
    with tf.io.TFRecordWriter(str(file), options="GZIP") as writer:
        for record in records:
            writer.write(record)


def _records(files):
    return tf.data.TFRecordDataset(
        sorted(str(file) for file in files), compression_type="GZIP"
    ).as_numpy_iterator()


def _example(user_id, items):
    example = tf.train.Example()
    feature = example.features.feature
    feature["user_id"].bytes_list.value.append(user_id.encode())
    feature["item_ids"].bytes_list.value.extend(item.encode() for item in items)
    feature["timestamps"].int64_list.value.extend(range(len(items)))
    return example.SerializeToString()


@pytest.fixture(scope="module")
def transformed(tmp_path_factory):
    """Transform's outputs for USERS: the examples and the graph."""
    folder = tmp_path_factory.mktemp("transform")
    raw = _artifact(standard_artifacts.Examples, folder / "raw", "interactions")
    _write(
        [_example(user, items) for user, items in USERS.items()],
        folder / "raw" / "Split-interactions" / "data_tfrecord-0.gz",
    )
    schema = _artifact(standard_artifacts.Schema, folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(SCHEMA.read_text())
    examples = _artifact(standard_artifacts.Examples, folder / "examples")
    graph = _artifact(standard_artifacts.TransformGraph, folder / "graph")
    splits = transform_pb2.SplitsConfig(
        analyze=["interactions"], transform=["interactions"]
    )
    transform_executor.Executor(_context(folder)).Do(
        {"examples": [raw], "schema": [schema]},
        {"transformed_examples": [examples], "transform_graph": [graph]},
        {
            "preprocessing_fn": "ncf_model.preprocessing.preprocessing_fn",
            "splits_config": proto_utils.proto_to_json(splits),
            "custom_config": "null",
            "force_tf_compat_v1": 0,
            "disable_statistics": 1,
        },
    )
    return examples, graph


class Run:
    """Runs the executor: its records by split, its files, and its artifact."""

    def __init__(self, transformed, folder, *, workers=1, epochs=0, refit=0, **config):
        examples, graph = transformed
        self.config = SamplingConfig(**{"eval_negatives": 2} | config)
        self.artifact = standard_artifacts.Examples()
        self.artifact.uri = str(folder / "out")
        executor.Executor(_context(folder, workers)).Do(
            {"transformed_examples": [examples], "transform_graph": [graph]},
            {"examples": [self.artifact]},
            {
                "sampling": self.config.model_dump_json(),
                "epochs": epochs,
                "refit": refit,
                "seed": 7,
            },
        )

    def pattern(self, split):
        return f"{artifact_utils.get_split_uri([self.artifact], split)}/*"

    def records(self, split):
        """Returns the split's records, parsed and sorted."""
        found = []
        for record in _records(tf.io.gfile.glob(self.pattern(split))):
            example = tf.train.Example.FromString(record)
            found.append(
                {
                    name: list(value.bytes_list.value) or list(value.int64_list.value)
                    for name, value in example.features.feature.items()
                }
            )
        return sorted(found, key=lambda record: sorted(record.items()))

    def by_user(self, split):
        return {record["user_id"][0].decode(): record for record in self.records(split)}

    def interactions(self):
        materialised = self.config.mode == "materialised"
        return data.load_interactions(
            [self.pattern("train")], materialised=materialised
        )


@pytest.fixture(scope="module")
def streaming(transformed, tmp_path_factory):
    return Run(transformed, tmp_path_factory.mktemp("streaming"))


def test_last_item_is_evaluated_and_the_one_before_validates(streaming):
    held_out = {
        split: {
            user: record["candidate_ids"][0].decode()
            for user, record in streaming.by_user(split).items()
        }
        for split in ("validation", "eval")
    }
    assert held_out == {
        "validation": {"three": "a b", "über all": "a b", "five": "dog"},
        "eval": {"two": "cat", "three": "007", "über all": "x", "five": "é"},
    }


def test_negatives_are_distinct_and_never_seen(streaming):
    for split in ("validation", "eval"):
        for user, record in streaming.by_user(split).items():
            negatives = [item.decode() for item in record["candidate_ids"][1:]]
            assert len(negatives) == len(set(negatives)) == 2
            assert not set(negatives) & set(USERS[user])
    assert set(streaming.by_user("eval")["über all"]["candidate_ids"][1:]) == {
        b"y",
        b"z",
    }


def test_popularity_counts_training_positives_only(streaming):
    # "cat" trains for "one" and "über all", "dog" for "two" and "über all".
    trained = collections.Counter(
        ["cat", "dog", "cat", "é", "cat", "dog", "007", "x", "y", "z"]
    )
    for record in streaming.records("eval") + streaming.records("validation"):
        items = [item.decode() for item in record["candidate_ids"]]
        assert record["candidate_popularity"] == [trained[item] for item in items]


def test_train_has_every_user(streaming, transformed):
    names = tf.io.gfile.GFile(f"{transformed[1].uri}/transform_fn/assets/item_id")
    names = names.read().split("\n")
    users = streaming.by_user("train")
    parts = {
        user: [
            [names[index] for index in record.get(name, [])]
            for name in ("positives", "validation_items", "eval_items")
        ]
        for user, record in users.items()
    }
    assert parts == {
        "one": [["cat"], [], []],
        "two": [["dog"], [], ["cat"]],
        "three": [["cat"], ["a b"], ["007"]],
        "über all": [["é", "cat", "dog", "007"], ["a b"], ["x"]],
        "five": [["x", "y", "z"], ["dog"], ["é"]],
    }


def test_counts_are_properties_of_the_artifact(streaming):
    expected = {
        "num_users": 5,
        "num_items": 8,
        "train_positives": 10,
        "train_rows_per_epoch": 50,
        "validation_lists": 3,
        "eval_lists": 4,
        "short_lists": 0,
        "users_without_eval": 1,
        "seed": 7,
    }
    file = pathlib.Path(streaming.artifact.uri) / "sampling.json"
    written = json.loads(file.read_text())
    for name, value in expected.items():
        assert streaming.artifact.get_int_custom_property(name) == value, name
        assert written[name] == value, name
    assert streaming.artifact.get_string_custom_property("mode") == "streaming"
    assert SamplingConfig.model_validate_json(written["sampling"]) == streaming.config


@pytest.mark.parametrize("distribution", ["uniform", "popularity"])
def test_both_modes_give_the_same_rows_every_epoch(transformed, tmp_path, distribution):
    runs = [
        Run(
            transformed, tmp_path / mode, mode=mode, distribution=distribution, **counts
        )
        for mode, counts in (
            ("streaming", {}),
            ("materialised", {"epochs": 3, "refit": 1}),
        )
    ]
    for refit in (False, True):
        rows = [
            data.EpochRows(
                run.interactions(), run.config, num_items=8, seed=7, refit=refit
            )
            for run in runs
        ]
        for epoch in range(3):
            streamed, stored = (_multiset(one.draw(epoch)) for one in rows)
            assert streamed == stored
            assert streamed.total() == (13 if refit else 10) * 5


def _multiset(drawn):
    users, items = drawn
    labels = np.zeros_like(items)
    labels[:, 0] = 1
    triples = np.stack(
        [np.repeat(users, items.shape[1]), items.ravel(), labels.ravel()]
    )
    return collections.Counter(map(tuple, triples.T.tolist()))


def test_workers_shards_and_order_do_not_matter(streaming, transformed, tmp_path):
    examples, graph = transformed
    folder = tmp_path / "shards"
    files = tf.io.gfile.glob(f"{examples.uri}/Split-interactions/*")
    shards = _artifact(standard_artifacts.Examples, folder, "interactions")
    for number, record in enumerate(reversed(list(_records(files)))):
        _write([record], folder / "Split-interactions" / f"shard-{number}.gz")
    run = Run((shards, graph), tmp_path, workers=2)
    for split in ("train", "validation", "eval"):
        assert run.records(split) == streaming.records(split)


def _replaced(transformed, folder, change):
    """Returns Transform's examples with `change` applied to every record."""
    examples = _artifact(standard_artifacts.Examples, folder / "in", "interactions")
    changed = []
    files = tf.io.gfile.glob(f"{transformed[0].uri}/Split-interactions/*")
    for record in _records(files):
        example = tf.train.Example.FromString(record)
        if change(example.features.feature) is not False:
            changed.append(example.SerializeToString())
    _write(changed, folder / "in" / "Split-interactions" / "transformed-0.gz")
    return examples, transformed[1]


def test_whoever_watches_is_told_how_far_it_is(transformed, tmp_path, monkeypatch):
    told = []
    monkeypatch.setattr(progress, "observers", [told.append])
    monkeypatch.setattr(executor, "_USERS_PER_BATCH", 2)
    Run(transformed, tmp_path)
    fractions = [event.fraction for event in told]
    assert fractions == sorted(fractions)
    assert len(fractions) >= 6
    assert fractions[-1] == 1.0
    assert {0.5, 1.0} < {*fractions}
    assert told[-1].doing == "ranked 5 users"


def test_item_outside_the_vocabulary(transformed, tmp_path):
    def change(feature):
        feature["item_indices$ragged_values"].int64_list.value[0] = 8

    with pytest.raises(ValueError, match="has item index 8, but the vocabulary ends"):
        Run(_replaced(transformed, tmp_path, change), tmp_path)


def test_graph_of_other_data(transformed, tmp_path):
    def change(feature):
        return feature["user_id"].bytes_list.value[0] != b"one"

    with pytest.raises(ValueError, match="got 4 records for 5 users"):
        Run(_replaced(transformed, tmp_path, change), tmp_path)


def test_everybody_has_one_interaction(transformed, tmp_path):
    def change(feature):
        for name in ("item_indices", "timestamps"):
            del feature[f"{name}$ragged_values"].int64_list.value[1:]

    with pytest.raises(ValueError, match="Nothing can be evaluated"):
        Run(_replaced(transformed, tmp_path, change), tmp_path)


def test_no_records(transformed, tmp_path):
    with pytest.raises(ValueError, match="got 0 records for 5 users"):
        Run(_replaced(transformed, tmp_path, lambda feature: False), tmp_path)


def _everything_but(number):
    """Returns a change: "über all" takes the 8 items but the last `number` at once."""

    def change(feature):
        if feature["user_id"].bytes_list.value[0] == "über all".encode():
            items, times = (
                feature[f"{name}$ragged_values"].int64_list
                for name in ("item_indices", "timestamps")
            )
            items.value[:] = range(8 - number)
            times.value[:] = [0] * (8 - number)

    return change


@pytest.mark.parametrize("mode", ["streaming", "materialised"])
def test_user_who_has_seen_everything(transformed, tmp_path, mode):
    # All items are before the split, and the last one trains in the refit.
    settings = {"split": "temporal", "split_time": 2, "mode": mode, "epochs": 1}
    full = _replaced(transformed, tmp_path / "full", _everything_but(0))
    with pytest.raises(ValueError, match="who trains on all 8 items there are"):
        Run(full, tmp_path / "full", **settings)
    other = _replaced(transformed, tmp_path / "other", _everything_but(1))
    run = Run(other, tmp_path / "other", **settings)
    assert len(run.records("train")) == 5


def test_nothing_unseen_to_rank_among(transformed, tmp_path):
    full = _replaced(transformed, tmp_path / "full", _everything_but(0))
    run = Run(full, tmp_path / "full")
    # Item 7 is held out and can be a negative in training; the user has no eval list.
    assert set(run.by_user("eval")) == {"two", "three", "five"}
    assert run.artifact.get_int_custom_property("users_without_eval") == 2
    assert run.artifact.get_int_custom_property("short_lists") == 0


# "über all" has two unseen items of eight, everybody else has three or more.
@pytest.mark.parametrize(("eval_negatives", "short"), [(2, 0), (3, 2)])
def test_fewer_unseen_items_than_asked_for(
    transformed, tmp_path, eval_negatives, short
):
    run = Run(transformed, tmp_path, eval_negatives=eval_negatives)
    assert run.artifact.get_int_custom_property("short_lists") == short
    for split in ("validation", "eval"):
        lists = run.by_user(split)
        assert len(lists["über all"]["candidate_ids"]) == 3
        assert len(lists["three"]["candidate_ids"]) == 1 + eval_negatives


# A user's times are 0, 1, 2 and so on; the last one of "über all" is 5.
def test_temporal_split_that_leaves_nothing_to_train_on(transformed, tmp_path):
    with pytest.raises(ValueError, match="Nothing is left to train on"):
        Run(transformed, tmp_path / "0", split="temporal", split_time=0)
    run = Run(transformed, tmp_path / "1", split="temporal", split_time=1)
    assert run.artifact.get_int_custom_property("train_positives") == 5


def test_temporal_split_that_leaves_nothing_to_evaluate(transformed, tmp_path):
    run = Run(transformed, tmp_path / "5", split="temporal", split_time=5)
    assert list(run.by_user("eval")) == ["über all"]
    with pytest.raises(ValueError, match="Nothing can be evaluated"):
        Run(transformed, tmp_path / "6", split="temporal", split_time=6)
