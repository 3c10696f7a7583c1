"""Scores are those of the list's own user and candidates, in their order."""

import numpy as np
import scipy.sparse

from components.eval_context.context import Context
from ncf_model.config import BaselinesConfig

USERS = {b"u0": 0, b"u1": 1}
ITEMS = {b"i0": 0, b"i1": 1, b"i2": 2}
POSITIVES = scipy.sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], np.float32))


def _context(**changes):
    config = {"item_knn_neighbours": 3, "ease_l2": 1.0} | changes
    return Context(
        POSITIVES, users=USERS, items=ITEMS, config=BaselinesConfig(**config)
    )


def test_scores_follow_users_and_candidates():
    # Items 0 and 1 share one of 2 and 1 users: cosine 1 / sqrt(2).
    [second, first] = _context().scores([b"u1", b"u0"], [[b"i1", b"i0"], [b"i2"]])[
        "candidate_item_knn"
    ]
    np.testing.assert_allclose(second, [0.5**0.5, 0], rtol=1e-6)
    assert first.tolist() == [0]


def test_an_unknown_item_scores_0():
    [scores] = _context().scores([b"u1"], [[b"new", b"i1"]])["candidate_ease"]
    assert scores[0] == 0
    assert scores[1] > 0


def test_ease_is_left_out_of_a_large_catalogue():
    context = _context(ease_max_items=2)
    assert context.baselines == ["item_knn"]
    [scores] = context.scores([b"u0"], [[b"i0", b"i1"]])["candidate_ease"]
    assert np.isnan(scores).all()
    assert _context(ease_max_items=3).baselines == ["item_knn", "ease"]


def test_what_is_turned_off_is_not_there():
    assert _context(item_knn_neighbours=None, ease_l2=None).scores([b"u0"], [[]]) == {}


def test_slices():
    context = _context()
    assert context.slices(b"u0", b"i0") == {
        "user_activity": b"4 most",
        "item_popularity": b"head",
    }
    assert context.slices(b"u1", b"i2")["item_popularity"] == b"tail"
    assert context.slices(b"u1", b"new")["item_popularity"] == b"tail"
