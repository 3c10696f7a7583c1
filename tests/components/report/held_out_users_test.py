"""The model's metrics on users who were held out with all their items."""

import math

import pytest
import tensorflow as tf

from components.report import held_out_users, wording

SCORES = [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.15, 0.1, 0.1, 0.05]


class Model(tf.Module):
    """A model that recommends i0, i1, ... with SCORES for every basket."""

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, "item_ids"),
            tf.TensorSpec([], tf.int32, "k"),
        ]
    )
    def recommend_for_items(self, item_ids, k):
        names = tf.constant([[f"i{item}" for item in range(12)] + ["", "", ""]])
        scores = tf.constant([[*SCORES, 0.0, 0.0, 0.0]])
        count = [tf.shape(item_ids)[0], 1]
        return {
            "item_ids": tf.tile(names[:, :k], count),
            "scores": tf.tile(scores[:, :k], count),
        }


@pytest.fixture(scope="module", name="model")
def _model(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("model"))
    module = Model()
    signatures = {"recommend_for_items": module.recommend_for_items}
    tf.saved_model.save(module, folder, signatures=signatures)
    return folder


def _lists(folder, lists):
    with tf.io.TFRecordWriter(str(folder / "lists.gz"), "GZIP") as writer:
        for item, basket in lists:
            feature = (example := tf.train.Example()).features.feature
            feature["candidate_ids"].bytes_list.value.append(item)
            feature["seen_ids"].bytes_list.value.extend(basket)
            writer.write(example.SerializeToString())
    return str(folder / "*.gz")


def test_hits_misses_and_ties(model, tmp_path):
    lists = [
        (b"i0", [b"x"]),  # rank 0
        (b"i2", [b"x", b"y", b"z"]),  # rank 2
        (b"i9", [b"x"]),  # the tenth item, but tied with the eleventh
        (b"absent", [b"x"]),
    ]
    others = {"popularity": {"hit_rate@10": 0.1, "ndcg@10": 0.05}}
    found = held_out_users.evaluate(model, _lists(tmp_path, lists), others)
    assert found.lists == 4
    assert found.metrics["hit_rate@10"] == 0.5
    assert found.metrics["ndcg@10"] == pytest.approx((1 + 1 / 2) / 4)
    assert found.errors["hit_rate@10"] == pytest.approx(0.5 / math.sqrt(4))
    names = [row.name for row in wording.strangers(found)]
    assert names == ["the model", "popularity"]


def test_without_a_list(model, tmp_path):
    found = held_out_users.evaluate(model, _lists(tmp_path, []), {})
    assert found.lists == 0
    assert wording.strangers(found) == []
