"""Item profiles for similar items, by hand, and the signatures of an exported model."""

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.config import ModelConfig
from ncf_model.network import model
from ncf_model.serving import similar_items


def _cosines(logits):
    """Returns the cosines between items' profiles, given logits [users, items]."""
    table = tf.constant(logits, tf.float32)
    vectors = similar_items.profiles(
        lambda users: tf.gather(table, users),
        num_users=table.shape[0],
        num_items=table.shape[1],
    )
    return vectors @ vectors.T


def test_is_the_correlation_of_scores_over_users():
    # Item 1's scores are item 0's, shifted and scaled; item 2's are item 0's negated.
    scores = [[1, 12, -1, 0], [2, 14, -2, 3], [3, 16, -3, 0]]
    expected = np.corrcoef(np.array(scores).T)
    np.testing.assert_allclose(_cosines(scores), expected, atol=1e-5)
    assert expected[0].round(3).tolist() == [1, 1, -1, 0]


def test_an_item_that_all_like_alike_is_near_nothing():
    cosines = _cosines([[5, 1, 0], [5, 2, 1], [5, 3, 2]])
    np.testing.assert_allclose(cosines[0], 0, atol=1e-6)


def test_many_users_and_more_axes_than_are_kept(monkeypatch):
    scores = np.random.default_rng(0).normal(size=(300, 5))
    monkeypatch.setattr(similar_items, "_WIDTH", 3)
    # By default 256 of the 300 users are used; here also only 3 of 5 axes.
    assert np.abs(_cosines(scores).diagonal() - 1).max() < 1e-5
    monkeypatch.setattr(similar_items, "_WIDTH", 5)
    monkeypatch.setattr(similar_items, "_MOST_USERS", 300)
    np.testing.assert_allclose(_cosines(scores), np.corrcoef(scores.T), atol=1e-5)


@pytest.fixture
def loaded(tiny):
    """A model of users who like even items or odd ones, by the sign of their row."""
    settings = {"type": "gmf", "mf_dim": 2, "gmf_output": "ones"}
    network = model.NeuMF(ModelConfig(**settings), num_users=5, num_items=7)
    users = [[1, 0], [-1, 0.1], [1, 0.2], [-1, 0.3], [1, 0.4], [0, 0]]
    items = [[(-1.0) ** i, 0.01 * i] for i in range(7)] + [[0.0, 0.0]]
    network.user_table.embeddings.assign(users)
    network.item_table.embeddings.assign(items)
    return tf.saved_model.load(tiny.export(network)).signatures


def _similar(loaded, ids, k):
    out = loaded["similar_items"](item_id=tf.constant(ids, tf.string), k=tf.constant(k))
    return out["item_ids"].numpy().tolist(), out["scores"].numpy()


def test_neighbours_of_an_exported_model(loaded):
    (even, odd), scores = _similar(loaded, ["i0", "i3"], 3)
    assert set(even) == {b"i2", b"i4", b"i6"}
    assert set(odd) == {b"i1", b"i5"} | set(odd[2:])
    assert (scores[0] > 0.99).all()
    assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("k", [6, 7, 9])
def test_no_more_than_all_others(loaded, k):
    ids, scores = _similar(loaded, ["i0"], k)
    assert set(ids[0][:6]) == {f"i{i}".encode() for i in range(1, 7)}
    assert ids[0][6:] == [b""] * (k - 6)
    assert scores.shape == (1, k)


def test_unknown_item_and_none_at_all(loaded):
    ids, scores = _similar(loaded, ["?"], 2)
    assert ids == [[b"", b""]]
    assert scores.tolist() == [[0, 0]]
    ids, scores = _similar(loaded, [], 2)
    assert ids == []
    assert scores.shape == (0, 2)
    assert _similar(loaded, ["i0"], 0)[0] == [[]]
    with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must be 0 or more"):
        _similar(loaded, ["i0"], -1)


def test_history_is_in_order_with_what_was_held_out(loaded):
    def history(*users):
        return (
            loaded["history"](user_id=tf.constant(users))["item_ids"].numpy().tolist()
        )

    ids = [f"i{i}".encode() for i in range(7)]
    # Bob trained on items 1 and 0; 2 is the validation and 5 the evaluation item.
    assert history("bob", "only one") == [
        [ids[1], ids[0], ids[2], ids[5]],
        [ids[0], b"", b"", b""],
    ]
    assert history("nobody") == [[]]
