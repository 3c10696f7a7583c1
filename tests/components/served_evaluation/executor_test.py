"""ServedEvaluation: which model is evaluated, on which interactions, or why none is."""

import json

import pytest
import tensorflow as tf
from tfx.types import standard_artifacts

from components.served_evaluation import executor, spec
from ncf_model import features
from ncf_model.serving import versions
from tests.pipeline.serving import evaluate_test


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory):
    """Returns a `Model` artifact whose model scores each item by the item's number."""
    folder = tmp_path_factory.mktemp("assets")
    module = evaluate_test.Model(folder)
    names = ("history", "recommend", "evaluate")
    artifact = standard_artifacts.Model()
    artifact.uri = str(tmp_path_factory.mktemp("model"))
    tf.saved_model.save(
        module,
        f"{artifact.uri}/Format-Serving",
        signatures={name: getattr(module, name) for name in names},
    )
    return artifact


def _do(root, people, *, models=(), serving="", has_times=True):
    """Returns the evaluation; `people` is user -> items, one item a day from day 0."""
    folder = root / "Split-interactions"
    folder.mkdir(exist_ok=True)
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(str(folder / "data-00000"), options) as writer:
        for user, items in people.items():
            example = tf.train.Example()
            feature = example.features.feature
            feature[features.USER_ID].bytes_list.value.append(user)
            feature[features.ITEM_IDS].bytes_list.value.extend(items)
            days = [86_400 * day for day in range(len(items))]
            feature[features.TIMESTAMPS].int64_list.value.extend(days)
            writer.write(example.SerializeToString())
    examples, evaluation = standard_artifacts.Examples(), standard_artifacts.ModelRun()
    examples.uri, evaluation.uri = str(root), str(root / "out")
    examples.set_int_custom_property("has_timestamps", int(has_times))
    (root / "out").mkdir(exist_ok=True)  # TFX creates this folder.
    inputs = {spec.INTERACTIONS_KEY: [examples], spec.MODEL_KEY: list(models)}
    executor.Executor().Do(
        inputs,
        {spec.EVALUATION_KEY: [evaluation]},
        {spec.SERVING_KEY: serving, spec.SEED_KEY: 7},
    )
    return json.loads((root / "out" / spec.FILE).read_text())


# The model knows ann with i00 and i01; i39 has the highest score, i00 the lowest.
PEOPLE = {b"ann": [b"i00", b"i01", b"i39"], b"new": [b"i00"]}


def test_only_what_the_model_did_not_know_counts(tmp_path, model):
    told = _do(tmp_path, PEOPLE, models=[model])
    assert (told["lists"], told["already_known"], told["new_users"]) == (2, 2, 1)
    # i39 is ranked first in one list, and i00 last in the other.
    assert told["metrics"]["hit_rate@10"] == 0.5
    assert [row["from"] for row in told["by_time"]] == ["1970-01-01", "1970-01-03"]
    assert [row["metrics"]["hit_rate@10"] for row in told["by_time"]] == [0, 1]


def test_without_times_nothing_is_told_day_by_day(tmp_path, model):
    told = _do(tmp_path, PEOPLE, models=[model], has_times=False)
    assert told["lists"] == 2
    assert told["by_time"] == []


def test_where_nobody_resolves_it_the_newest_version_is_evaluated(tmp_path, model):
    serving = str(tmp_path / "serving")
    versions.push(serving, f"{model.uri}/Format-Serving")
    told = _do(tmp_path, PEOPLE, serving=serving)
    assert told["model"].startswith(serving)
    assert told["lists"] == 2


def test_without_a_model_or_with_nothing_new_it_says_so(tmp_path, model):
    assert "no served model" in _do(tmp_path, PEOPLE)["why_not"]
    serving = str(tmp_path / "empty")
    assert "no served model" in _do(tmp_path, PEOPLE, serving=serving)["why_not"]
    told = _do(tmp_path, {b"bob": [b"i02"]}, models=[model])
    assert "All 1 pairs of user and item are known" in told["why_not"]


def test_a_model_that_cannot_be_asked_stops_nothing(tmp_path, model):
    loaded = tf.saved_model.load(f"{model.uri}/Format-Serving")
    old = standard_artifacts.Model()
    old.uri = str(tmp_path / "old")
    tf.saved_model.save(
        loaded,
        f"{old.uri}/Format-Serving",
        signatures={"evaluate": loaded.signatures["evaluate"]},
    )
    assert "it has no history" in _do(tmp_path, PEOPLE, models=[old])["why_not"]
