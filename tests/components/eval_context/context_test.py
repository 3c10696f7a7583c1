"""Baselines' scores, ranks and settings, on data that can be checked by hand."""

import numpy as np
import pytest
import scipy.sparse

from components.eval_context import costs, rivals, search
from components.eval_context.config import BaselinesConfig
from components.eval_context.context import Context
from ncf_model import progress
from ncf_model.history import recency
from ncf_model.sampling import ragged

USERS = {b"u0": 0, b"u1": 1}
ITEMS = {b"i0": 0, b"i1": 1, b"i2": 2}
POSITIVES = rivals.Positives(
    scipy.sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], np.float32))
)


def _context(**changes):
    config = {"item_knn_neighbours": 3, "ease_l2": 1.0, "ials_l2": None} | changes
    return Context(
        POSITIVES, users=USERS, items=ITEMS, config=BaselinesConfig(**config)
    )


def test_scores_follow_users_and_candidates():
    # Item 0 has two users, item 1 one of these: their cosine is 1 / sqrt(2 * 1).
    [second, first] = _context().scores([b"u1", b"u0"], [[b"i1", b"i0"], [b"i2"]])[
        "candidate_item_knn"
    ]
    np.testing.assert_allclose(second, [0.5**0.5, 0], rtol=1e-6)
    assert first.tolist() == [0]


def test_tells_how_far_it_is(monkeypatch):
    told = []
    monkeypatch.setattr(progress, "observers", [told.append])
    _context()
    assert [(event.doing, event.fraction) for event in told] == [
        ("tunes and fits item_knn, 1 of 2", 0.0),
        ("tunes and fits ease, 2 of 2", pytest.approx(0.45)),
    ]


def test_an_unknown_item_scores_0():
    [scores] = _context().scores([b"u1"], [[b"new", b"i1"]])["candidate_ease"]
    assert scores[0] == 0
    assert scores[1] > 0


def test_ranks_are_those_of_brute_force():
    """Some scores are tied, and one held-out item is unknown."""
    rng = np.random.default_rng(0)
    dense = (rng.random((30, 12)) < 0.3).astype(np.float32)
    users = [b"u%d" % u for u in range(30)]
    items = [b"i%d" % i for i in range(12)]
    context = Context(
        rivals.Positives(scipy.sparse.csr_matrix(dense)),
        users={user: row for row, user in enumerate(users)},
        items={item: column for column, item in enumerate(items)},
        config=BaselinesConfig(
            item_knn_neighbours=3, ease_l2=1.0, ials_l2=0.1, ials_unobserved=0.3
        ),
    )
    assert context.baselines == ["item_knn", "ease", "ials"]
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
    # User 1 has item 0. Item 1 is similar to item 0, item 2 is not.
    ranks = _context().ranks([b"u1", b"u1"], [b"i2", b"i1"], [[b"i0"], [b"i0"]])
    assert ranks["item_knn_rank"].tolist() == [1, 0]
    # No item is its own neighbour, so item 0 scores 0 and ties with item 2.
    ranks = _context().ranks([b"u1"], [b"i2"], [[b"i1"]])
    assert ranks["item_knn_rank"].tolist() == [1]


@pytest.fixture(name="too_large")
def _too_large(monkeypatch):
    """A context in which EASE would cost more memory than is allowed."""

    def cost(name, *_):
        return costs.Cost(9e9 if name == "ease" else 1.0, 1.0)

    monkeypatch.setattr(costs, "cost", cost)
    return _context()


def test_rank_of_a_baseline_that_is_left_out(too_large):
    ranks = too_large.ranks([b"u0"], [b"i2"], [[b"i0"]])
    assert ranks["ease_rank"].tolist() == [-1]
    assert ranks["item_knn_rank"].tolist() == [1]
    assert too_large.first([b"u0"], [[b"i0"]], places=2)["ease_first"].size == 0


def test_what_cannot_be_afforded_is_left_out_with_a_reason(too_large):
    assert too_large.baselines == ["item_knn"]
    [scores] = too_large.scores([b"u0"], [[b"i0", b"i1"]])["candidate_ease"]
    assert np.isnan(scores).all()
    assert "max_memory_mb is 2,000" in too_large.left_out["ease"]


def test_first_items_by_hand():
    first = _context().first([b"u1", b"u0"], [[b"i0"], [b"i0", b"i1"]], places=2)
    # Item 1 is similar to user 1's item, item 2 is not; user 0 has not seen 2.
    assert first["item_knn_first"].tolist() == [[1, 2], [2, -1]]
    assert first["popularity_first"].tolist() == [[1, 2], [2, -1]]


def test_settings_are_chosen_on_validation_lists():
    """User 3 has item 2 and holds item 1 out; item 0 is the other candidate."""
    dense = np.array([[1, 1, 0], [1, 1, 0], [0, 1, 1], [0, 0, 1]], np.float32)
    positives = rivals.Positives(scipy.sparse.csr_matrix(dense))
    lists = search.SearchData(positives, np.array([3]), np.array([[1, 0]]), None)
    context = Context(
        positives,
        users={b"u%d" % u: u for u in range(4)},
        items=ITEMS,
        config=BaselinesConfig(item_knn_neighbours="auto", ease_l2=2.0, ials_l2=None),
        validation=lists,
    )
    assert context.settings["ease"] == {"l2": 2.0, "tried": []}
    tried = context.settings["item_knn"]["tried"]
    # The search starts at 50 neighbours and stays there if others are no better.
    assert sorted(x["neighbours"] for x in tried) == [20, 50, 100]
    assert context.settings["item_knn"]["neighbours"] == 50


def _told(order):
    """Five users take item 0, then 1; five 2, then 3; one 2, then 0, and last 1."""
    histories = ragged.Ragged(
        np.array([0, 1] * 5 + [2, 3] * 5 + [2, 0]), np.arange(0, 23, 2)
    )
    matrix = recency.user_item_matrix(histories, 4)
    positives = rivals.Positives(matrix, histories if order else None)
    return Context(
        positives,
        users={b"u%d" % u: u for u in range(11)},
        items={b"i%d" % i: i for i in range(4)},
        config=BaselinesConfig(item_knn_neighbours="auto", ease_l2=1.0, ials_l2=0.1),
        validation=search.SearchData(
            positives, np.array([10]), np.array([[1, 3]]), None
        ),
    )


def test_what_is_told_the_order_lets_histories_fade():
    blind, told = _told(order=False), _told(order=True)
    for name in ("item_knn", "ease"):
        assert "recency" not in blind.settings[name]
        assert told.settings[name]["recency"] > 0
        assert len(told.settings[name]["tried"]) > 1
        [scores] = told.scores([b"u10"], [[b"i1", b"i3"]])[f"candidate_{name}"]
        assert scores[0] > scores[1], name
        [scores] = blind.scores([b"u10"], [[b"i1", b"i3"]])[f"candidate_{name}"]
        assert scores[0] == pytest.approx(scores[1]), name
    # iALS does not weigh histories by recency.
    assert told.settings["ials"].keys() == blind.settings["ials"].keys()


def test_what_is_turned_off_is_not_there():
    context = _context(item_knn_neighbours=None, ease_l2=None)
    assert context.scores([b"u0"], [[]]) == {}


def test_slices():
    context = _context()
    assert context.slices(b"u0", b"i0") == {
        "user_activity": b"4 most",
        "item_popularity": b"head",
        "item_warmth": b"warm",
    }
    for item in (b"i2", b"new"):  # Nobody has i2; "new" is in no vocabulary.
        assert context.slices(b"u1", item) == {
            "user_activity": b"1 least",
            "item_popularity": b"tail",
            "item_warmth": b"cold",
        }
