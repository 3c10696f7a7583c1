"""Validation lists, ranked by a network whose scores are known."""

import math

import numpy as np
import pytest

from ncf_model import model, validation
from ncf_model.config import ModelConfig

USERS = {b"a": 0, b"b": 1}
ITEMS = {b"w": 0, b"x": 1, b"y": 2, b"z": 3}


@pytest.fixture
def network():
    """User a likes items in order w, x, y, z; b in the reverse; the unknown item 9."""
    settings = ModelConfig(type="gmf", mf_dim=1, gmf_output="ones")
    network = model.NeuMF(settings, num_users=2, num_items=4)
    network.user_table.embeddings.assign([[1.0], [-1.0], [2.0]])
    network.item_table.embeddings.assign([[4.0], [3.0], [2.0], [1.0], [9.0]])
    return network


def _judge(network, user_ids, candidates, seen=None):
    return validation.Validation(
        network, user_ids, candidates, users=USERS, items=ITEMS, seen=seen
    )


def _scores(judge):
    scores = {}
    for rows, block in judge.scores():
        scores |= dict(zip(range(rows.start, rows.stop), block.tolist(), strict=True))
    return [scores[row] for row in sorted(scores)]


def test_scores_candidates_in_order(network):
    judge = _judge(network, [b"a", b"b"], [[b"x", b"w", b"z"], [b"y", b"w"]])
    assert _scores(judge) == [[3.0, 4.0, 1.0], [-2.0, -4.0, -np.inf]]


def test_ids_outside_the_vocabulary_are_unknown(network):
    judge = _judge(network, [b"nobody"], [[b"x", b"nothing"]])
    assert _scores(judge) == [[6.0, 18.0]]


def test_metrics_are_means_over_lists(network):
    # Ranks 1, 0 and 10: the last, ten ties, is outside the first ten.
    candidates = [[b"x", b"w", b"z"], [b"y", b"w"], [b"y"] * 11]
    hit_rate, ndcg = _judge(network, [b"a", b"b", b"a"], candidates).metrics()
    assert hit_rate == pytest.approx(2 / 3)
    assert ndcg == pytest.approx((1 / math.log2(3) + 1) / 3)


def test_blocks_cover_every_list(network, monkeypatch):
    user_ids = [b"a", b"b"] * 5 + [b"a"]
    candidates = [[b"x", b"w"]] * 11
    whole = _scores(_judge(network, user_ids, candidates))
    monkeypatch.setattr(validation, "_BLOCK_VALUES", 4 * 2 * 64)
    judge = _judge(network, user_ids, candidates)
    assert len(list(judge.scores())) == 3
    assert _scores(judge) == whole
    assert [row[0] for row in whole] == [3.0, -3.0] * 5 + [3.0]


def test_whole_catalogue(network):
    judge = _judge(
        network,
        [b"a", b"b", b"nobody"],
        [[b"x"], [b"x"], [b"nothing"]],
        seen=[[b"w", b"nothing"], [], [b"z"]],
    )
    gone = -np.inf
    assert _scores(judge) == [
        [3.0, gone, gone, 2.0, 1.0],  # x, then w (seen), x, y, z
        [-3.0, -4.0, gone, -2.0, -1.0],
        [18.0, 8.0, 6.0, 4.0, gone],  # the unknown item's own score
    ]
    # Ranks 0, 2 and 0.
    hit_rate, ndcg = judge.metrics()
    assert hit_rate == 1.0
    assert ndcg == pytest.approx((1 + 1 / math.log2(4) + 1) / 3)


def test_whole_catalogue_in_blocks(network, monkeypatch):
    user_ids, candidates = [b"a", b"b"] * 3 + [b"a"], [[b"x"]] * 7
    seen = [[b"w"], [b"z", b"y"], []] * 2 + [[b"z"]]
    whole = _scores(_judge(network, user_ids, candidates, seen))
    monkeypatch.setattr(validation, "_BLOCK_VALUES", 2 * 5 * 64)
    judge = _judge(network, user_ids, candidates, seen)
    assert len(list(judge.scores())) == 4
    assert _scores(judge) == whole


def test_sees_the_network_as_it_is_now(network):
    judge = _judge(network, [b"a"], [[b"x", b"w"]])
    assert judge.metrics() == (1.0, pytest.approx(1 / math.log2(3)))
    network.user_table.embeddings.assign([[-1.0], [1.0], [0.0]])
    assert judge.metrics() == (1.0, 1.0)


def test_a_score_that_is_not_a_number(network):
    network.user_table.embeddings.assign([[np.nan], [1.0], [0.0]])
    with pytest.raises(ValueError, match="Scores must not be NaN"):
        _judge(network, [b"a"], [[b"x", b"w"]]).metrics()


def test_no_lists(network):
    judge = _judge(network, [], [])
    assert len(judge) == 0
    with pytest.raises(ValueError, match="no user has three interactions"):
        judge.metrics()
