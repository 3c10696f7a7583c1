"""The baselines' metrics on users who are held out with all their items."""

import numpy as np
import pytest
import scipy.sparse

from components.eval_context import held_out_users

NAMES = {b"i%d" % item: item for item in range(12)}


def _matrix(rows):
    return scipy.sparse.csr_matrix(np.array(rows, np.float32))


def test_baskets_and_the_items_to_find():
    lists = [(b"i2", [b"i0", b"i11"]), (b"i1", [b"i2"])]
    baskets, held_out = held_out_users.matrix(lists, NAMES)
    expected = np.zeros((2, 12))
    expected[0, [0, 11]] = expected[1, 2] = 1
    np.testing.assert_array_equal(baskets.toarray(), expected)
    assert held_out.tolist() == [2, 1]


def test_popularity_counts_ties_against_itself_and_leaves_the_basket_out():
    # Items 0 to 10 have two users each, item 11 has one.
    positives = _matrix([[1] * 11 + [0], [1] * 12])
    lists = [
        (b"i3", [b"i11"]),  # Ten others are as popular: rank 10, no hit.
        (b"i3", [b"i0", b"i1"]),  # Eight others are as popular: rank 8.
        (b"i11", [b"i0", b"i1"]),  # Nine are more popular: rank 9.
    ]
    baskets, held_out = held_out_users.matrix(lists, NAMES)
    found = held_out_users.figures(baskets, held_out, positives=positives, ease_l2=None)
    assert found.keys() == {"popularity"}
    assert found["popularity"]["hit_rate@10"] == pytest.approx(2 / 3)
    gains = (np.log(2) / np.log(10) + np.log(2) / np.log(11)) / 3
    assert found["popularity"]["ndcg@10"] == pytest.approx(gains)


def test_ease_folds_the_basket_in():
    # Users have either even items or odd ones, about half of these.
    rng = np.random.default_rng(0)
    of_users = np.zeros((200, 40), np.float32)
    for user, row in enumerate(of_users):
        row[user % 2 :: 2] = rng.random(20) < 0.5
    names = {b"i%d" % item: item for item in range(40)}
    lists = [(b"i4", [b"i%d" % item for item in range(6, 40, 2)])] * 3
    baskets, held_out = held_out_users.matrix(lists, names)
    found = held_out_users.figures(
        baskets, held_out, positives=scipy.sparse.csr_matrix(of_users), ease_l2=10.0
    )
    # Of the even items only 0, 2 and 4 are not in the basket.
    assert found["ease"]["hit_rate@10"] == 1
    assert found["ease"]["ndcg@10"] >= 0.5


def test_without_a_list_there_is_nothing_to_tell():
    baskets, held_out = held_out_users.matrix([], NAMES)
    found = held_out_users.figures(
        baskets, held_out, positives=_matrix([[1] * 12]), ease_l2=1.0
    )
    assert found == {}
