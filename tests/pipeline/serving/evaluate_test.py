"""A model with known scores, evaluated on interactions after its training."""

import json

import pytest
import tensorflow as tf
from typer import testing

from components.interactions_example_gen.config import ReadingConfig
from ncf_model import features
from pipeline import cli
from pipeline.serving import evaluate

ITEMS = [f"i{number:02}" for number in range(40)]
HADS = {b"ann": ["i00", "i01"], b"bob": ["i02"]}


class Model(tf.Module):
    """Scores an item by its number, an unknown item -1; i39 has the highest score."""

    def __init__(self, folder):
        super().__init__()
        path = folder / features.ITEM_VOCABULARY
        path.write_text("\n".join(ITEMS) + "\n")
        self._asset = tf.saved_model.Asset(str(path))
        keys = tf.constant(list(HADS))
        values = tf.constant([",".join(had) for had in HADS.values()])
        self._had = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(keys, values), ""
        )
        numbers = tf.range(len(ITEMS), dtype=tf.float32)
        self._scores = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(tf.constant(ITEMS), numbers), -1.0
        )

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "user_id")])
    def history(self, user_id):
        had = tf.strings.split(self._had.lookup(user_id), ",")
        return {"item_ids": had.to_tensor("")}

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([], tf.int32, "k"),
        ]
    )
    def recommend(self, user_id, k):
        """The most popular first: i00, i01, ..."""
        ids = tf.tile(tf.constant([ITEMS])[:, :k], [tf.size(user_id), 1])
        return {"item_ids": ids, "scores": 1 / (1.0 + self._scores.lookup(ids))}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def evaluate(self, examples):
        spec = {features.CANDIDATE_IDS: tf.io.RaggedFeature(tf.string)}
        parsed = tf.io.parse_example(examples, spec)[features.CANDIDATE_IDS]
        scores = tf.ragged.map_flat_values(self._scores.lookup, parsed)
        return {"scores": scores.to_tensor(float("-inf"))}


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory):
    folder = tmp_path_factory.mktemp("since")
    module = Model(folder)
    signatures = {n: getattr(module, n) for n in ("history", "recommend", "evaluate")}
    tf.saved_model.save(module, str(folder / "model"), signatures=signatures)
    return str(folder / "model")


DAY = 86_400


@pytest.fixture(name="data")
def _data(tmp_path):
    rows = [
        ("ann", "i00", 5),  # known
        ("ann", "i39", DAY),  # the highest score
        ("bob", "i03", DAY + 1),  # a low score
        ("zoe", "i38", 2 * DAY),  # a new user
        ("zoe", "new", 2 * DAY + 1),  # and a new item
    ]
    file = tmp_path / "since.csv"
    text = "".join(f"{user},{item},{time}\n" for user, item, time in rows)
    file.write_text("user,item,timestamp\n" + text)
    return file


def test_what_the_model_foresaw(model, data):
    found = evaluate.evaluate(model, str(data), ReadingConfig(), negatives=1000)
    told = json.loads(found.to_file())
    assert (told["lists"], told["users"], told["already_known"]) == (4, 3, 1)
    assert (told["new_users"], told["new_items"]) == (1, 1)
    # i39 and i38 are hits, i03 and what is unknown are not.
    assert told["metrics"]["hit_rate@10"] == 0.5
    assert told["baseline"]["hit_rate@10"] == 0.25  # i03, by popularity
    assert told["groups"]["known user and item"]["lists"] == 2
    assert told["groups"]["known user and item"]["metrics"]["hit_rate@10"] == 0.5
    assert told["groups"]["new user"]["lists"] == 2
    assert told["groups"]["new item"]["metrics"]["hit_rate@10"] == 0.0
    assert [(row["from"], row["lists"]) for row in told["by_time"]] == [
        ("1970-01-02", 2),
        ("1970-01-03", 2),
    ]


def test_without_times_no_day_is_named(model, tmp_path):
    file = tmp_path / "since.csv"
    file.write_text("user,item\nann,i39\nbob,i03\n")
    found = evaluate.evaluate(model, str(file), ReadingConfig())
    assert found.lists == 2
    assert not found.by_time


def test_nothing_is_new(model, tmp_path):
    file = tmp_path / "old.csv"
    file.write_text("user,item,timestamp\nann,i00,1\nbob,i02,2\n")
    with pytest.raises(ValueError, match="All 2 pairs of user and item are known"):
        evaluate.evaluate(model, str(file), ReadingConfig())


def test_the_command_for_people_and_for_programs(model, data):
    command = ["evaluate", "--dataset", str(data), "--model", model]
    shown = testing.CliRunner().invoke(cli.app, command)
    assert shown.exit_code == 0, shown.output
    first, *table = shown.stdout.splitlines()
    assert "on 4 interactions since, of 3 users (1 new); 1 new item, " in first
    assert max(map(len, table)) <= 80
    told = testing.CliRunner().invoke(cli.app, [*command, "--json"])
    assert json.loads(told.stdout)["lists"] == 4


def test_a_version_that_is_not_there(tmp_path, data):
    command = ["evaluate", "--dataset", str(data), "--out", str(tmp_path)]
    refused = testing.CliRunner().invoke(cli.app, [*command, "--model", "17"])
    assert refused.exit_code == 2
    assert "got '17'. There are []" in refused.stderr.replace("\n", " ")
