import numpy as np
import pytest

from ncf_model.sampling import random_words


def test_keys_depend_on_id_and_seed_alone():
    one, two = random_words.user_keys([b"u1", b"u2"], 7).tolist()
    assert random_words.user_keys([b"u2"], 7).tolist() == [two]
    assert random_words.user_keys([b"u1"], 7).tolist() == [one]
    assert len({one, two, *random_words.user_keys([b"u1", b"u2"], 8).tolist()}) == 4


def test_keys_are_the_same_on_every_machine():
    # BLAKE2b of "196", 8 bytes, keyed by the 8 bytes of the seed, little-endian.
    assert random_words.user_keys([b"196"], 42).tolist() == [547397789202901289]


@pytest.mark.parametrize("seed", [-1, 1 << 64])
def test_seed_out_of_range(seed):
    with pytest.raises(ValueError, match="`seed` must be in"):
        random_words.user_keys([b"u1"], seed)


def test_largest_seed():
    assert len(random_words.user_keys([b"u1"], (1 << 64) - 1)) == 1


def test_epochs_and_streams_have_draws_of_their_own():
    key = np.array([3], np.uint64)
    found = {
        int(random_words.starts(key, epoch=epoch, stream=stream)[0])
        for epoch in range(50)
        for stream in range(3)
    }
    assert len(found) == 150


def test_an_epoch_per_user():
    keys = np.array([3, 3], np.uint64)
    both = random_words.starts(keys, epoch=np.array([4, 9]), stream=1).tolist()
    assert both == [
        int(random_words.starts(keys[:1], epoch=epoch, stream=1)[0]) for epoch in (4, 9)
    ]
