"""The search over a baseline's settings, and NDCG, by which it chooses."""

import numpy as np
import pytest
import scipy.sparse

from components.eval_context import rivals, search
from components.eval_context.config import BaselinesConfig

POSITIVES = rivals.Positives(scipy.sparse.csr_matrix(np.eye(2, 4, dtype=np.float32)))
# User 0 holds item 1 out, user 1 item 2; -1 fills the shorter list up.
LISTS = search.SearchData(
    POSITIVES, np.array([0, 1]), np.array([[1, 2, 3], [2, 0, -1]]), None
)
SCORES = np.array([[0, 5, 9, 5], [1, 0, 2, 3]], np.float32)


def _score(users):
    return SCORES[users]


def test_lists_by_hand():
    # User 0: item 2 scores higher and item 3 ties, so rank 2; user 1: rank 0.
    expected = (np.log(2) / np.log(4) + 1) / 2
    assert LISTS.ndcg(_score) == pytest.approx(expected)


def test_whole_catalogue_by_hand():
    touched = scipy.sparse.csr_matrix([[1, 1, 0, 0], [0, 1, 1, 0]])
    whole = LISTS._replace(candidates=LISTS.candidates[:, :1], touched=touched)
    # Items 2 and 3 give user 0 rank 2; item 3 gives user 1 rank 1, item 0 is lower.
    expected = (np.log(2) / np.log(4) + np.log(2) / np.log(3)) / 2
    assert whole.ndcg(_score) == pytest.approx(expected)


def test_many_lists_are_scored_in_parts(monkeypatch):
    expected = LISTS.ndcg(_score)
    monkeypatch.setattr(search, "_SCORES", 4)
    assert LISTS.ndcg(_score) == expected


def _rival(**grid):
    """A baseline that ranks the held-out item higher as a nears 3 and b nears 10."""

    def fit(positives, settings, searching):
        assert searching
        assert positives is POSITIVES
        away = abs(settings["a"] - 3) + abs(settings.get("b", 10) - 10)
        return lambda users: np.array([[0, -away, -1.5, -0.5]] * len(users))

    start = {name: values[0] for name, values in grid.items()}
    return rivals.Rival(fit, grid, start)


def test_goes_uphill_one_setting_after_the_other():
    one = LISTS._replace(users=np.array([0]), candidates=np.array([[1, 2, 3]]))
    best, tried = search.choose(_rival(a=(1, 2, 3, 4, 5), b=(8, 9, 10)), one)
    # Every neighbour of (1, 8) ranks the item last too, so the search ends there.
    assert best == {"a": 1, "b": 8}
    best, tried = search.choose(_rival(a=(1, 2, 3, 4, 5)), one)
    assert best == {"a": 3}
    # The search never stood next to 5, so 5 is not tried.
    assert [x["a"] for x in tried] == [1, 2, 3, 4]
    assert tried[2][search.NDCG] == 1.0


def test_without_lists_or_without_a_choice_nothing_is_tried():
    rival = _rival(a=(1, 2))
    assert search.choose(rival, None) == ({"a": 1}, [])
    assert search.choose(_rival(a=(4,)), LISTS) == ({"a": 4}, [])


def test_what_is_configured_is_not_searched():
    config = BaselinesConfig(ease_l2=7.0, ials_l2=None)
    found = rivals.rivals(config)
    assert list(found) == ["item_knn", "ease"]
    assert found["ease"].grid == {"l2": (7.0,)}
    assert found["item_knn"].start["neighbours"] in found["item_knn"].grid["neighbours"]


@pytest.mark.parametrize("order", [False, True])
def test_a_search_keeps_no_weights_of_other_settings_or_positives(order):
    """EASE's fits in a search share products and weights; final fits share nothing."""
    users = np.arange(2)
    ease = rivals.rivals(BaselinesConfig(), order=order)["ease"]
    others = rivals.Positives(scipy.sparse.csr_matrix(np.ones((2, 4), np.float32)))
    for positives in (POSITIVES, others):
        for l2 in (1.0, 9.0, 9.0, 1.0):
            settings = {"l2": l2, "recency": 0.0}
            searched, final = (
                ease.fit(positives, settings, search)(users) for search in (True, False)
            )
            np.testing.assert_allclose(searched, final, rtol=1e-6)
