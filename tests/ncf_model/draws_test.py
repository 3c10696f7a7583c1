import numpy as np
import pytest
import scipy.stats

from ncf_model import draws


def _integers(counts, bounds, *, limit, keys=(11, 22)):
    first = draws.starts(np.array(keys, np.uint64), epoch=0, stream=0)
    counts, bounds = np.array(counts), np.array(bounds)
    return draws.integers(first, counts, bounds, limit=limit).tolist()


def test_words_are_splitmix64():
    # The published outputs of the reference implementation for seed 1234567.
    words = draws.words(np.array([1234567], np.uint64), np.array([5]))
    assert words.tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_words_stand_user_after_user():
    first = np.array([1234567, 5, 1234567], np.uint64)
    words = draws.words(first, np.array([1, 0, 2])).tolist()
    assert words == [6457827717110365317, 6457827717110365317, 3203168211198807973]


def test_keys_depend_on_id_and_seed_alone():
    one, two = draws.user_keys([b"u1", b"u2"], 7).tolist()
    assert draws.user_keys([b"u2"], 7).tolist() == [two]
    assert draws.user_keys([b"u1"], 7).tolist() == [one]
    assert len({one, two, *draws.user_keys([b"u1", b"u2"], 8).tolist()}) == 4


def test_keys_are_the_same_on_every_machine():
    # blake2b of "196", 8 bytes, keyed by the seed's 8 bytes, little-endian.
    assert draws.user_keys([b"196"], 42).tolist() == [547397789202901289]


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="`seed` must be in"):
        draws.user_keys([b"u1"], seed)


def test_largest_seed():
    assert len(draws.user_keys([b"u1"], (1 << 64) - 1)) == 1


def test_epochs_and_streams_have_draws_of_their_own():
    key = np.array([3], np.uint64)
    found = {
        int(draws.starts(key, epoch=epoch, stream=stream)[0])
        for epoch in range(50)
        for stream in range(3)
    }
    assert len(found) == 150


def test_an_epoch_per_user():
    keys = np.array([3, 3], np.uint64)
    both = draws.starts(keys, epoch=np.array([4, 9]), stream=1).tolist()
    assert both == [
        int(draws.starts(keys[:1], epoch=epoch, stream=1)[0]) for epoch in (4, 9)
    ]


# 2**16 is the last limit at which two numbers share a word.
@pytest.mark.parametrize("limit", [1 << 16, (1 << 16) + 1, 10_000_000])
def test_a_users_integers_depend_on_nobody_else(limit):
    together = _integers([3, 4], [7, 9], limit=limit)
    assert together[:3] == _integers([3], [7], limit=limit, keys=[11])
    assert together[3:] == _integers([4], [9], limit=limit, keys=[22])


@pytest.mark.parametrize("limit", [100, 1 << 20])
def test_fewer_integers_are_a_prefix_of_more(limit):
    more = _integers([9, 0], [50, 1], limit=limit)
    assert _integers([4, 0], [50, 1], limit=limit) == more[:4]


@pytest.mark.parametrize("limit", [6, 1 << 20])
def test_integers_are_uniform(limit):
    numbers = _integers([600_000, 0], [6, 1], limit=limit)
    counts = np.bincount(numbers, minlength=6)
    assert len(counts) == 6
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_integers_follow_each_other_independently():
    numbers = np.array(_integers([400_000, 0], [4, 1], limit=4))
    pairs = np.bincount(numbers[:-1] * 4 + numbers[1:], minlength=16)
    assert scipy.stats.chisquare(pairs).pvalue > 1e-3


def test_users_are_independent():
    keys = draws.user_keys([b"%d" % user for user in range(100_000)], 0)
    first = draws.starts(keys, epoch=0, stream=0)
    ones = np.ones(len(keys), np.int64)
    counts = np.bincount(draws.integers(first, ones, 10 * ones, limit=10))
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_below_covers_large_bounds():
    bound = 1 << 52
    first = draws.starts(np.array([5], np.uint64), epoch=0, stream=0)
    points = draws.below(draws.words(first, np.array([100_000])), bound)
    assert points.min() >= 0
    assert points.max() < bound
    counts = np.bincount(points >> 49)
    assert len(counts) == 8
    assert scipy.stats.chisquare(counts).pvalue > 1e-3


def test_below_of_one_is_zero():
    first = draws.starts(np.array([5], np.uint64), epoch=0, stream=0)
    assert draws.below(draws.words(first, np.array([3])), 1).tolist() == [0, 0, 0]


def test_largest_word_stays_below():
    word = np.array([(1 << 64) - 1], np.uint64)
    assert draws.below(word, 1 << 52).tolist() == [(1 << 52) - 1]
    assert draws.below(word, 3).tolist() == [2]


def test_any_word_by_its_number():
    first = np.array([1234567, 5, 1234567], np.uint64)
    words = draws.words_at(first, np.array([1, 0, 3])).tolist()
    assert words[0] == 3203168211198807973
    assert words[2] == 4593380528125082431
