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


def test_ranks_are_those_of_brute_force():
    """Of scores that tie and that do not, an unknown held-out item among them."""
    rng = np.random.default_rng(0)
    dense = (rng.random((30, 12)) < 0.3).astype(np.float32)
    users = [b"u%d" % u for u in range(30)]
    items = [b"i%d" % i for i in range(12)]
    context = Context(
        scipy.sparse.csr_matrix(dense),
        users={user: row for row, user in enumerate(users)},
        items={item: column for column, item in enumerate(items)},
        config=BaselinesConfig(item_knn_neighbours=3, ease_l2=1.0),
    )
    held_out = [items[i] for i in rng.integers(12, size=29)] + [b"new"]
    seen = [
        [items[i] for i in np.flatnonzero(row) if items[i] != item]
        for row, item in zip(dense, held_out, strict=True)
    ]
    scores = context.scores(users, [[item, *items] for item in held_out])
    for name, ranks in context.ranks(users, held_out, seen).items():
        rows = scores["candidate_" + name.removesuffix("_rank")]
        assert ranks.dtype == np.int64
        assert ranks.tolist() == [
            sum(
                score >= own
                for item, score in zip(items, row, strict=True)
                if item != held and item not in gone
            )
            for (own, *row), held, gone in zip(rows, held_out, seen, strict=True)
        ]


def test_ranks_by_hand():
    # To user 1, who has item 0, item 1 is like it and item 2 is not.
    ranks = _context().ranks([b"u1", b"u1"], [b"i2", b"i1"], [[b"i0"], [b"i0"]])
    assert ranks["item_knn_rank"].tolist() == [1, 0]
    # Item 0 scores 0 as item 2 does, for it is no neighbour of itself: a tie.
    ranks = _context().ranks([b"u1"], [b"i2"], [[b"i1"]])
    assert ranks["item_knn_rank"].tolist() == [1]


def test_rank_of_a_baseline_that_is_left_out():
    ranks = _context(ease_max_items=2).ranks([b"u0"], [b"i2"], [[b"i0"]])
    assert ranks["ease_rank"].tolist() == [-1]
    assert ranks["item_knn_rank"].tolist() == [1]


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
        "item_warmth": b"warm",
    }
    for item in (b"i2", b"new"):  # Nobody has the one, no vocabulary has the other.
        assert context.slices(b"u1", item) == {
            "user_activity": b"1 least",
            "item_popularity": b"tail",
            "item_warmth": b"cold",
        }
