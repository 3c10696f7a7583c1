"""Validation lists, ranked by a network whose scores are known."""

import math

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.config import ModelConfig
from ncf_model.network import model
from ncf_model.training import validation

USERS = {b"a": 0, b"b": 1}
ITEMS = {b"w": 0, b"x": 1, b"y": 2, b"z": 3}


@pytest.fixture
def network():
    """User a ranks items w, x, y, z; b the reverse; the unknown item's value is 9."""
    settings = ModelConfig(type="gmf", mf_dim=1, gmf_output="ones")
    network = model.NeuMF(settings, num_users=2, num_items=4)
    network.user_table.embeddings.assign([[1.0], [-1.0], [2.0]])
    network.item_table.embeddings.assign([[4.0], [3.0], [2.0], [1.0], [9.0]])
    return network


def _validator(network, user_ids, candidates, **settings):
    return validation.Validation(
        network, user_ids, candidates, users=USERS, items=ITEMS, **settings
    )


def test_scores_candidates_in_order(network):
    validator = _validator(network, [b"a", b"b"], [[b"x", b"w", b"z"], [b"y", b"w"]])
    np.testing.assert_array_equal(
        validator.scores(), [[3.0, 4.0, 1.0], [-2.0, -4.0, -np.inf]]
    )


def test_scores_without_xla(network, monkeypatch):
    """As on the host of a TPU; an operation that XLA lacks shows it is not used."""
    combine = network.scorer.combine

    def elsewhere(user, item):
        logits = combine(user, item)
        return tf.ensure_shape(tf.numpy_function(np.copy, [logits], tf.float32), [1, 2])

    monkeypatch.setattr(network.scorer, "combine", elsewhere)
    lists = ([b"a"], [[b"x", b"w"]])
    validator = _validator(network, *lists, jit_compile=False)
    np.testing.assert_array_equal(validator.scores(), [[3.0, 4.0]])
    with pytest.raises(tf.errors.InvalidArgumentError, match="XLA"):
        _validator(network, *lists).scores()


def test_ids_outside_the_vocabulary_are_unknown(network):
    validator = _validator(network, [b"nobody"], [[b"x", b"nothing"]])
    np.testing.assert_array_equal(validator.scores(), [[6.0, 18.0]])


def test_metrics_are_means_over_lists(network):
    # The ranks are 1, 0 and, with ten ties, 10, which is outside the top ten.
    candidates = [[b"x", b"w", b"z"], [b"y", b"w"], [b"y"] * 11]
    hit_rate, ndcg = _validator(network, [b"a", b"b", b"a"], candidates).metrics()
    assert hit_rate == pytest.approx(2 / 3)
    assert ndcg == pytest.approx((1 / math.log2(3) + 1) / 3)


def test_blocks_cover_every_list(network, monkeypatch):
    user_ids = [b"a", b"b"] * 5 + [b"a"]
    candidates = [[b"x", b"w"]] * 11
    whole = _validator(network, user_ids, candidates).scores()
    monkeypatch.setattr(validation, "_BLOCK_VALUES", 4 * 2 * 64)
    parts = _validator(network, user_ids, candidates).scores()
    np.testing.assert_array_equal(parts, whole)
    assert whole[:, 0].tolist() == [3.0, -3.0] * 5 + [3.0]


def test_sees_the_network_as_it_is_now(network):
    validator = _validator(network, [b"a"], [[b"x", b"w"]])
    assert validator.metrics() == (1.0, pytest.approx(1 / math.log2(3)))
    network.user_table.embeddings.assign([[-1.0], [1.0], [0.0]])
    assert validator.metrics() == (1.0, 1.0)


def test_a_score_that_is_not_a_number(network):
    network.user_table.embeddings.assign([[np.nan], [1.0], [0.0]])
    with pytest.raises(ValueError, match="Scores must not be NaN"):
        _validator(network, [b"a"], [[b"x", b"w"]]).metrics()


def test_no_lists(network):
    validator = _validator(network, [], [])
    assert len(validator) == 0
    with pytest.raises(ValueError, match="no user has three interactions"):
        validator.metrics()
