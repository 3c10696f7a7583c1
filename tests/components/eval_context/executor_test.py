"""The features that EvalContext adds to records of each kind."""

import types

import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf

from components.eval_context import executor, rivals
from components.eval_context.config import BaselinesConfig
from components.eval_context.context import Context

# The first user has items 0 and 1, the second item 0; nobody has item 2.
CONTEXT = Context(
    rivals.Positives(
        scipy.sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], np.float32))
    ),
    users={b"u0": 0, b"u1": 1},
    items={b"i0": 0, b"i1": 1, b"i2": 2},
    config=BaselinesConfig(item_knn_neighbours=3, ease_l2=1.0, ials_l2=None),
)
SLICES = {"user_activity", "item_popularity", "item_warmth"}


def _added(**ids):
    """Annotates one record of user u1; returns the features that were added."""
    record = tf.train.Example()
    for name, values in {"user_id": [b"u1"], **ids}.items():
        record.features.feature[name].bytes_list.value.extend(values)
    [record] = executor._annotated([record], CONTEXT, 2)
    added = record.features.feature
    return {name: added[name] for name in added.keys() - {"user_id", *ids}}


def test_a_list_gets_scores():
    added = _added(candidate_ids=[b"i2", b"i1"])
    assert added.keys() == {"candidate_item_knn", "candidate_ease"} | SLICES
    scores = added["candidate_item_knn"].float_list.value
    np.testing.assert_allclose(scores, [0, 0.5**0.5], rtol=1e-6)


def test_a_record_with_what_the_user_has_seen_gets_ranks():
    added = _added(candidate_ids=[b"i2"], seen_ids=[b"i0"])
    assert added.keys() == {
        *("item_knn_rank", "ease_rank"),
        *("item_knn_first", "ease_first", "popularity_first"),
        *SLICES,
    }
    # Item 1 is similar to item 0, item 2 is not.
    assert list(added["item_knn_rank"].int64_list.value) == [1]
    assert list(added["ease_rank"].int64_list.value) == [1]
    assert list(added["item_knn_first"].int64_list.value) == [1, 2]
    assert list(added["item_popularity"].bytes_list.value) == [b"tail"]


def _splits(folder):
    """Writes one user's training and validation record; returns both files' paths."""
    folder.mkdir()
    example = tf.train.Example()
    feature = example.features.feature
    feature["user_id"].bytes_list.value.append(b"u0")
    feature["user_index"].int64_list.value.append(0)
    for name, items in (("positives", [0, 1]), ("validation_items", [2])):
        feature[name].int64_list.value.extend(items)
    feature["eval_items"].int64_list.value.extend([])
    listed = tf.train.Example()
    listed.features.feature["user_id"].bytes_list.value.append(b"u0")
    listed.features.feature["candidate_ids"].bytes_list.value.append(b"i2")
    paths = [str(folder / name) for name in ("train.gz", "validation.gz")]
    for path, record in zip(paths, (example, listed), strict=True):
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            writer.write(record.SerializeToString())
    return paths


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(("refit", "like"), [(True, [1.0]), (False, [0.0])])
def test_learns_from_what_the_model_trains_on(tmp_path, refit, like, whole):
    graph = types.SimpleNamespace(vocabulary_by_name=lambda _: [b"i0", b"i1", b"i2"])
    config = BaselinesConfig(item_knn_neighbours=1, ease_l2=None, ials_l2=None)
    train, lists = _splits(tmp_path / "splits")
    context, _ = executor._learn(train, lists, graph, config, refit=refit, whole=whole)
    # If item 2 trains, its similarity to both other items is 1; one neighbour counts.
    (scores,) = context.scores([b"u0"], [[b"i2"]])["candidate_item_knn"]
    assert scores.tolist() == like


@pytest.mark.parametrize("order", [True, False])
def test_tells_the_order_where_the_model_knows_it(tmp_path, order):
    graph = types.SimpleNamespace(vocabulary_by_name=lambda _: [b"i0", b"i1", b"i2"])
    config = BaselinesConfig(item_knn_neighbours=1, ease_l2=None, ials_l2=None)
    train, lists = _splits(tmp_path / "splits")
    context, _ = executor._learn(
        train, lists, graph, config, refit=True, whole=False, order=order
    )
    assert ("recency" in context.settings["item_knn"]) == order


def test_fewer_lists_at_a_time_where_the_catalogue_is_large():
    assert CONTEXT.lists_at_a_time == 512
    large = Context(
        rivals.Positives(scipy.sparse.csr_matrix((1, 100_000), dtype=np.float32)),
        users={b"u0": 0},
        items={b"%d" % i: i for i in range(100_000)},
        config=BaselinesConfig(item_knn_neighbours=None, ease_l2=None, ials_l2=None),
    )
    assert large.lists_at_a_time == 167  # at most 2**24 scores
