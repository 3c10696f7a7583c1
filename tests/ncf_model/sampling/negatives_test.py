import itertools

import numpy as np
import pytest
import scipy.stats

from ncf_model.sampling import negatives

# User -> seen items.
USERS = {b"a": [0, 3], b"b": [5], b"c": [0, 2, 3, 5]}
NUM_ITEMS = 6


def _arrays(users, seed=0):
    offsets = np.cumsum([0, *(len(items) for items in users.values())])
    items = np.array([item for items in users.values() for item in items], np.int64)
    return items, offsets, negatives.user_keys(list(users), seed)


def _training(users=USERS, *, seed=0, epoch=0, num_negatives=4, weights=None):
    return negatives.training_negatives(
        *_arrays(users, seed),
        epoch=epoch,
        num_negatives=num_negatives,
        num_items=NUM_ITEMS,
        weights=weights,
    )


def _evaluation(users=USERS, *, count=2, seed=0, num_items=NUM_ITEMS, **options):
    options = {"stream": negatives.EVAL_STREAM} | options
    values, offsets = negatives.evaluation_negatives(
        *_arrays(users, seed), num_items=num_items, count=count, **options
    )
    return [values[start:stop].tolist() for start, stop in itertools.pairwise(offsets)]


WEIGHTS = negatives.popularity_weights(np.array([5, 4, 3, 2, 1, 0]), 0.75)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["uniform", "popularity"])
class TestTrainingNegatives:
    def test_draws_all_unseen_items_and_no_other(self, weights):
        drawn = _training(num_negatives=400, weights=weights)
        assert drawn.dtype == np.int32
        assert set(drawn[:800]) == {1, 2, 4, 5}
        assert set(drawn[800:1200]) == {0, 1, 2, 3, 4}
        assert set(drawn[1200:]) == {1, 4}

    def test_a_user_is_the_same_in_any_block(self, weights):
        together = _training(weights=weights)
        others = {b"c": USERS[b"c"], b"x": [1], b"a": USERS[b"a"]}
        other = _training(others, weights=weights)
        assert other[:16].tolist() == together[12:].tolist()
        assert other[20:].tolist() == together[:8].tolist()

    def test_a_range_of_users(self, weights):
        sampler = negatives.NegativeSampler(
            *_arrays(USERS), num_items=NUM_ITEMS, weights=weights
        )
        part = sampler.draw(epoch=0, num_negatives=4, start=1, stop=3)
        assert part.tolist() == _training(weights=weights)[8:].tolist()

    def test_epochs_seeds_and_users_differ(self, weights):
        user = {b"a": [0]}
        drawn = [
            _training(user, num_negatives=30, weights=weights),
            _training(user, num_negatives=30, weights=weights, epoch=1),
            _training(user, num_negatives=30, weights=weights, seed=1),
            _training({b"b": [0]}, num_negatives=30, weights=weights),
        ]
        assert len({tuple(one) for one in drawn}) == 4

    def test_user_who_has_seen_everything(self, weights):
        with pytest.raises(ValueError, match="user number 1 has all 6 items"):
            _training({b"a": [1], b"b": [3, 2, 1, 0, 5, 4]}, weights=weights)

    def test_user_who_has_seen_all_but_one(self, weights):
        drawn = _training({b"b": [3, 2, 1, 0, 5]}, weights=weights)
        assert drawn.tolist() == [4] * 20

    def test_no_users(self, weights):
        assert _training({}, weights=weights).tolist() == []

    def test_user_without_positives(self, weights):
        alone = _training({b"b": [5]}, weights=weights)
        assert _training({b"0": [], b"b": [5]}, weights=weights).tolist() == (
            alone.tolist()
        )

    @pytest.mark.parametrize(("num", "epoch"), [(0, 0), (1, -1)])
    def test_impossible_arguments(self, weights, num, epoch):
        with pytest.raises(ValueError, match="`num_negatives` must be 1 or more"):
            _training(num_negatives=num, epoch=epoch, weights=weights)


def test_training_negatives_are_uniform():
    # 250 users with 4 of 104 items each, over 1.2 million draws.
    rng = np.random.default_rng(0)
    seen = {b"%d" % user: rng.permutation(104)[:4].tolist() for user in range(250)}
    items, offsets, keys = _arrays(seen)
    sampler = negatives.NegativeSampler(items, offsets, keys, num_items=104)
    per_user = np.zeros(104, np.int64)
    place = np.zeros(100, np.int64)
    for epoch in range(12):
        drawn = sampler.draw(epoch=epoch, num_negatives=100).reshape(250, 400)
        per_user += np.bincount(drawn[0], minlength=104)
        for row, user in zip(drawn, seen.values(), strict=True):
            unseen = np.setdiff1d(np.arange(104), user)
            place += np.bincount(np.searchsorted(unseen, row), minlength=100)
    assert place.sum() == 1_200_000
    assert scipy.stats.chisquare(place).pvalue > 1e-3
    assert (per_user > 0).sum() == 100


def test_training_negatives_follow_popularity():
    # Items that train twice and once have weights 2**0.5 : 1; item 0 is seen.
    weights = negatives.popularity_weights(np.array([9, 2, 2, 1, 1]), 0.5)
    items, offsets, keys = _arrays({b"a": [0]})
    drawn = negatives.training_negatives(
        items,
        offsets,
        keys,
        epoch=0,
        num_negatives=1_000_000,
        num_items=5,
        weights=weights,
    )
    counts = np.bincount(drawn, minlength=5)
    assert counts[0] == 0
    expected = np.array([2**0.5, 2**0.5, 1, 1]) / (2 * 2**0.5 + 2) * 1_000_000
    assert scipy.stats.chisquare(counts[1:], expected).pvalue > 1e-3


class TestEvaluationNegatives:
    def test_distinct_and_unseen(self):
        users = {b"%d" % user: [user % 50, 77] for user in range(300)}
        for (user, seen), found in zip(
            users.items(), _evaluation(users, count=60, num_items=100), strict=True
        ):
            assert len(found) == len(set(found)) == 60, user
            assert not set(found) & set(seen), user

    @pytest.mark.parametrize(
        ("count", "lengths"), [(2, [2, 2, 2]), (3, [3, 3, 2]), (6, [4, 5, 2])]
    )
    def test_too_few_unseen_items_shorten_a_list(self, count, lengths):
        lists = _evaluation(count=count)
        assert [len(found) for found in lists] == lengths
        assert sorted(lists[2]) == [1, 4]

    def test_user_who_has_seen_everything_gets_none(self):
        assert _evaluation({b"a": [0, 1, 2, 3, 4, 5], b"b": [5]})[0] == []

    def test_one_more_unseen_than_asked_for(self):
        users = {b"%d" % user: [0] for user in range(500)}
        lists = _evaluation(users, count=4)
        missing = [({1, 2, 3, 4, 5} - set(found)).pop() for found in lists]
        counts = np.bincount(missing, minlength=6)[1:]
        assert scipy.stats.chisquare(counts).pvalue > 1e-3

    def test_every_unseen_item_is_as_likely(self):
        users = {b"%d" % user: [0, 7] for user in range(20_000)}
        lists = _evaluation(users, count=3, num_items=10)
        counts = np.bincount(np.ravel(lists), minlength=10)
        assert counts[[0, 7]].tolist() == [0, 0]
        assert scipy.stats.chisquare(counts[counts > 0]).pvalue > 1e-3

    def test_a_user_is_the_same_in_any_block(self):
        alone = _evaluation({b"c": USERS[b"c"]}, count=1)
        assert _evaluation(count=1)[2:] == alone

    def test_streams_seeds_and_ordinals_differ(self):
        user = {b"a": [0]}
        variants = [
            {},
            {"stream": negatives.VALIDATION_STREAM},
            {"seed": 1},
            {"ordinals": np.array([1])},
        ]
        lists = [
            _evaluation(user, count=20, num_items=1000, **options)[0]
            for options in variants
        ]
        assert len({tuple(found) for found in lists}) == 4

    def test_with_replacement_equal_draws_count_once(self):
        users = {b"%d" % user: [0] for user in range(20_000)}
        lists = _evaluation(users, count=3, num_items=5, with_replacement=True)
        assert all(len(found) == len(set(found)) for found in lists)
        # 3 draws of 4 items have 64 outcomes: 4, 36, 24 with 1, 2, 3 distinct items.
        lengths = np.bincount([len(found) for found in lists], minlength=4)[1:]
        expected = np.array([4, 36, 24]) / 64 * 20_000
        assert scipy.stats.chisquare(lengths, expected).pvalue > 1e-3

    def test_no_negatives_asked_for(self):
        with pytest.raises(ValueError, match="`count` must be 1 or more; got 0"):
            _evaluation(count=0)


def test_seen_item_outside_the_vocabulary():
    with pytest.raises(ValueError, match="Index 6 is an id outside the vocabulary"):
        _training({b"a": [6]})


@pytest.mark.parametrize("count", [2, 4])
def test_as_many_keys_as_users(count):
    items, offsets, _ = _arrays(USERS)
    keys = np.arange(count).astype(np.uint64)
    match = f"`keys` must be one per user, 3; got {count}"
    with pytest.raises(ValueError, match=match):
        negatives.NegativeSampler(items, offsets, keys, num_items=NUM_ITEMS)
    with pytest.raises(ValueError, match=match):
        negatives.evaluation_negatives(
            items, offsets, keys, num_items=NUM_ITEMS, count=1, stream=0
        )


@pytest.mark.parametrize("count", [5, 7])
def test_as_many_weights_as_items(count):
    weights = np.ones(count, np.int64)
    with pytest.raises(ValueError, match=f"one per item, 6; got {count}"):
        _training({b"a": [1]}, weights=weights)
