"""Bulk lists of a model that recommends one item to bob and two to everybody else."""

import pathlib

import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import parquet
from tfx.types import standard_artifacts

from components.bulk_recommendations import executor, spec
from components.bulk_recommendations.component import BulkRecommendations

USERS = 1100  # more than two batches


class _Model(tf.Module):
    def __init__(self, folder):
        super().__init__()
        path = folder / "user_id"
        users = ["ann", "bob", *(f"u{n}" for n in range(USERS - 2))]
        path.write_text("\n".join(users) + "\n")
        self._asset = tf.saved_model.Asset(str(path))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, "user_id"),
            tf.TensorSpec([], tf.int32, "k"),
        ]
    )
    def recommend(self, user_id, k):
        ids = tf.tile([["i1", "i2"]], [tf.size(user_id), 1])
        bob = (user_id == "bob")[:, None] & [[False, True]]
        scores = tf.tile([[0.75, 0.5]], [tf.size(user_id), 1])
        return {"item_ids": tf.where(bob, "", ids)[:, :k], "scores": scores[:, :k]}


@pytest.fixture(name="run")
def _run(tmp_path):
    """Returns a function that runs the executor and returns its output and table."""
    model = standard_artifacts.Model()
    model.uri = str(tmp_path / "model")
    module = _Model(tmp_path)
    tf.saved_model.save(
        module,
        f"{model.uri}/Format-Serving",
        signatures={"recommend": module.recommend},
    )
    titles = tmp_path / "titles.csv"
    titles.write_text('item_id,title\ni1,"Good, the Bad"\n')

    def run(*, is_pushed=1, k=2):
        pushed, output = (
            standard_artifacts.PushedModel(),
            standard_artifacts.InferenceResult(),
        )
        pushed.set_int_custom_property("pushed", is_pushed)
        pushed.set_string_custom_property("pushed_version", "17")
        output.uri = str(tmp_path / "lists")
        executor.Executor().Do(
            {spec.MODEL_KEY: [model], spec.PUSHED_MODEL_KEY: [pushed]},
            {spec.LISTS_KEY: [output]},
            {spec.K_KEY: k, spec.TITLES_KEY: str(titles)},
        )
        return output, sorted(pathlib.Path(output.uri).iterdir())

    return run


def test_writes_everybodys_list(run):
    output, files = run()
    table = pa.concat_tables(map(parquet.read_table, files))
    rows = table.sort_by([("user_id", "ascending"), ("rank", "ascending")]).to_pylist()
    assert [tuple(row.values()) for row in rows[:3]] == [
        ("ann", 1, "i1", 0.75, "Good, the Bad"),
        ("ann", 2, "i2", 0.5, ""),
        ("bob", 1, "i1", 0.75, "Good, the Bad"),
    ]
    assert len(rows) == 2 * USERS - 1
    assert len({row["user_id"] for row in rows}) == USERS
    assert output.get_int_custom_property(spec.ROWS_PROPERTY) == 2 * USERS - 1
    assert output.get_string_custom_property(spec.VERSION_PROPERTY) == "17"


def test_writes_nothing_of_a_model_that_was_not_pushed(run):
    output, files = run(is_pushed=0)
    assert files == []
    why = output.get_string_custom_property(spec.NOT_WRITTEN_PROPERTY)
    assert why == "The model was not pushed."


def test_no_items():
    channel = standard_artifacts.Model
    with pytest.raises(ValueError, match="`k` must be >= 1; got 0"):
        BulkRecommendations(model=channel, pushed_model=channel, k=0)
