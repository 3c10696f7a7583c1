"""Ranks, hit rate and NDCG on lists a reader can rank by eye."""

import numpy as np
import pytest

from ncf_model.evaluation import ranking

INF = np.inf


def test_counts_the_candidates_ahead():
    scores = [[3.0, 1.0, 2.0], [1.0, 2.0, 3.0], [2.0, 3.0, 1.0]]
    assert ranking.ranks(scores).tolist() == [0, 2, 1]


def test_a_tie_counts_against_the_model():
    assert ranking.ranks([[1.0, 1.0, 1.0, 0.0]]).tolist() == [2]


def test_pads_never_count():
    scores = [[0.0, 1.0, -INF, -INF], [0.0, 1.0, 2.0, 3.0]]
    assert ranking.ranks(scores).tolist() == [1, 3]


def test_a_list_without_negatives_is_a_hit():
    assert ranking.ranks([[0.5]]).tolist() == [0]


def test_no_lists():
    assert ranking.ranks(np.zeros((0, 5))).tolist() == []


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([[0.0, np.nan]], "list 0, candidate 1 is"),
        ([[0.0, 1.0], [np.nan, 1.0]], "list 1, candidate 0 is"),
        ([[-INF, 1.0]], "in list 0 it is -inf"),
        ([[0.0, 1.0], [INF, 1.0]], "in list 1 it is inf"),
        ([0.0, 1.0], r"got shape \(2,\)"),
        ([[]], r"got shape \(1, 0\)"),
    ],
)
def test_what_cannot_be_ranked_is_an_error(scores, message):
    with pytest.raises(ValueError, match=message):
        ranking.ranks(scores)


def test_top_is_in_order_and_ties_go_by_index():
    scores = np.array([1.0, 3.0, -INF, 1.0, 5.0, 1.0])
    assert ranking.top(scores, 1).tolist() == [4]
    assert ranking.top(scores, 4).tolist() == [4, 1, 0, 3]
    assert ranking.top(scores, 9).tolist() == [4, 1, 0, 3, 5]
    assert ranking.top(np.array([-INF]), 1).tolist() == []


def test_hit_rate_on_both_sides_of_k():
    assert ranking.hit_rate(np.array([0, 9, 10]), 10).tolist() == [1.0, 1.0, 0.0]


def test_ndcg_is_one_over_log2_of_the_place_plus_one():
    # Ranks 0, 1 and 3 are places 1, 2 and 4: 1 / log2(2), 1 / log2(3), 1 / log2(5).
    values = ranking.ndcg(np.array([0, 1, 3, 10]), 10)
    np.testing.assert_allclose(values, [1.0, 0.63092975, 0.43067656, 0.0])


@pytest.mark.parametrize("metric", [ranking.hit_rate, ranking.ndcg])
def test_k_is_at_least_one(metric):
    assert metric(np.array([0, 1]), 1).tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match="`k` must be >= 1; got 0"):
        metric(np.array([0]), 0)
