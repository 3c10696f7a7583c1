import numpy as np
import pytest
import scipy.stats

from ncf_model.sampling import compiled_loops, random_words, weighted

WEIGHTS = np.array([8, 4, 2, 1, 1])


def _draw(*users, sizes, weights=WEIGHTS):
    offsets = np.cumsum([0, *(len(user) for user in users)])
    items = np.array([item for user in users for item in user], np.int64)
    of = weighted.WeightedItems(items, offsets, weights=weights)
    keys = random_words.user_keys([b"%d" % user for user in range(len(users))], 1)
    first = random_words.starts(keys, epoch=0, stream=0)
    return of.draw(first, np.array(sizes), 0, len(users))


def test_popularity_itself():
    weights = weighted.popularity_weights(np.array([6, 2, 1]), 1.0)
    np.testing.assert_allclose(weights / weights.sum(), [6 / 9, 2 / 9, 1 / 9], 1e-9)


def test_power_of_popularity():
    # The weights are 16 ** 0.75 = 8 and 1 ** 0.75 = 1.
    weights = weighted.popularity_weights(np.array([16, 1, 1]), 0.75)
    np.testing.assert_allclose(weights / weights.sum(), [0.8, 0.1, 0.1], 1e-9)


def test_an_item_that_never_trains_weighs_as_one_that_trains_once():
    first, second = weighted.popularity_weights(np.array([0, 1]), 0.75).tolist()
    assert first == second


def test_alpha_zero_is_uniform():
    assert len(set(weighted.popularity_weights(np.array([9, 0, 4]), 0.0))) == 1


def test_draws_unseen_items_in_proportion():
    # Items 0 and 2 are seen; the others weigh 4, 1 and 1, so get 2/3, 1/6 and 1/6.
    drawn = _draw([2, 0], sizes=[1_200_000])
    counts = np.bincount(drawn, minlength=5)
    assert counts[[0, 2]].tolist() == [0, 0]
    expected = [800_000, 200_000, 200_000]
    assert scipy.stats.chisquare(counts[[1, 3, 4]], expected).pvalue > 1e-3


def test_each_user_has_a_line_of_its_own():
    drawn = _draw([0, 1, 2], [], [4, 3, 1], sizes=[1000, 50_000, 1000])
    assert set(drawn[:1000]) == {3, 4}
    counts = np.bincount(drawn[1000:51_000], minlength=5)
    assert scipy.stats.chisquare(counts, np.array(WEIGHTS) * 50_000 / 16).pvalue > 1e-3
    assert set(drawn[51_000:]) == {0, 2}


def test_rare_items_when_all_else_was_seen():
    weights = weighted.popularity_weights(np.array([10**9, 1, 1]), 1.0)
    assert set(_draw([0], sizes=[100], weights=weights)) == {1, 2}


def test_users_do_not_affect_each_other():
    both = _draw([2, 0], [1], sizes=[5, 7])
    assert both[:5].tolist() == _draw([2, 0], sizes=[5]).tolist()


def test_item_twice():
    with pytest.raises(ValueError, match="user number 0 has item 1 twice"):
        _draw([1, 1], sizes=[1])


def test_seen_items_that_share_a_place_of_the_index():
    # Seen items are 2**16 apart and weigh so much that most first tries hit them.
    num_items = (1 << 17) + 2
    weights = np.ones(num_items, np.int64)
    seen = [1, 1 + (1 << 16), 1 + (1 << 17)]
    weights[seen] = 1 << 20
    drawn = _draw(seen, sizes=[2000], weights=weights)
    assert not set(drawn) & set(seen)
    assert drawn.max() > 1 << 16


@pytest.mark.parametrize("tries", [1, 2, 5])
def test_any_number_of_tries_draws_in_proportion(monkeypatch, tries):
    monkeypatch.setattr(weighted, "_TRIES", tries)
    # The seen items 0 and 2 have 10/16 of the weight, so most tries fail.
    counts = np.bincount(_draw([2, 0], sizes=[60_000]), minlength=5)
    expected = [40_000, 10_000, 10_000]
    assert scipy.stats.chisquare(counts[[1, 3, 4]], expected).pvalue > 1e-3


def test_items_that_share_a_bucket(monkeypatch):
    # With two buckets for five items a search within the bucket finds the item.
    monkeypatch.setattr(weighted, "_MOST_BUCKETS", 2)
    counts = np.bincount(_draw([0], sizes=[80_000]), minlength=5)
    expected = [40_000, 20_000, 10_000, 10_000]
    assert scipy.stats.chisquare(counts[1:], expected).pvalue > 1e-3


# From few buckets with many points each to one bucket for each point.
@pytest.mark.parametrize("buckets", [2, 4, 8, 1 << 22])
def test_every_point_of_the_line_is_the_item_that_covers_it(monkeypatch, buckets):
    monkeypatch.setattr(weighted, "_MOST_BUCKETS", buckets)
    of = weighted.WeightedItems(np.array([0]), np.array([0, 1]), weights=WEIGHTS)
    line = of._ends, of._buckets, of._bucket_bits
    found = [compiled_loops.item_at(point, *line) for point in range(16)]
    assert found == [0] * 8 + [1] * 4 + [2] * 2 + [3, 4]


def test_draws_follow_each_other_independently():
    # The seen item has 8/10 of the weight, so most draws take several tries.
    weights = np.array([8, 1, 1])
    drawn = _draw([0], sizes=[200_000], weights=weights)
    pairs = np.bincount((drawn[:-1] - 1) * 2 + drawn[1:] - 1, minlength=4)
    assert scipy.stats.chisquare(pairs).pvalue > 1e-3


@pytest.mark.parametrize("alpha", [-0.1, 10.1, 70.0, 120.0, float("nan")])
def test_refuses_powers_that_overflow(alpha):
    """100,000 ** 70 exceeds every float and would become a negative weight."""
    with pytest.raises(ValueError, match="`popularity_alpha` must be from 0 to 10"):
        weighted.popularity_weights(np.array([100_000, 1]), alpha)


def test_the_largest_power_is_drawn_from():
    weights = weighted.popularity_weights(np.array([10**9, 10, 1, 0]), 10.0)
    assert weights.tolist() == [1 << 40, 1, 1, 1]
    drawn = _draw([0], sizes=[300], weights=weights)
    assert set(drawn.tolist()) == {1, 2, 3}
