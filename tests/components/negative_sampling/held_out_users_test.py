"""Which users are held out with all their items, and the records of these users."""

import datetime

import numpy as np
import pyarrow as pa
import pytest

from components.negative_sampling import held_out_users
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from ncf_model.config import (
    ModelConfig,
    SamplingConfig,
    TrainConfig,
    check_together,
)
from ncf_model.sampling.ragged import Ragged

IDS = pa.array([b"i%d" % item for item in range(6)], pa.large_binary())


def _users(histories):
    offsets = np.cumsum([0, *(len(items) for items in histories.values())])
    items = np.array([item for items in histories.values() for item in items])
    times = np.arange(len(items))
    return Users(
        list(histories), np.arange(len(histories)), Ragged(items, offsets), times
    )


def _plan(seed=0, **settings):
    config = SamplingConfig(**settings)
    return Plan(
        config=config, epochs=1, refit=True, seed=seed, num_items=6, num_users=3
    )


MANY = _users({b"user %d" % number: [number % 6, 5] for number in range(2000)})


def test_by_default_nobody_is_held_out():
    kept, gone = held_out_users.separate(MANY, _plan())
    assert kept.user_ids == MANY.user_ids
    assert not gone.user_ids


def test_a_fraction_is_held_out_with_all_that_they_have():
    kept, gone = held_out_users.separate(MANY, _plan(held_out_users=0.3))
    # The number of users is binomial: mean 600, standard deviation about 20.
    assert abs(len(gone.user_ids) - 600) < 100
    assert sorted(kept.user_ids + gone.user_ids) == sorted(MANY.user_ids)
    for part in (kept, gone):
        for place in (0, len(part.user_ids) - 1):
            number = int(part.user_ids[place].split()[1])
            assert part.user_index[place] == number
            items = part.items.take(np.array([place]))
            assert items.values.tolist() == [number % 6, 5]
            start, stop = part.items.offsets[place : place + 2]
            assert part.timestamps[start:stop].tolist() == [2 * number, 2 * number + 1]


def test_who_depends_on_the_id_and_the_seed_alone():
    plan = _plan(held_out_users=0.3)
    _, gone = held_out_users.separate(MANY, plan)
    _, part = held_out_users.separate(MANY.take(np.arange(900, 100, -1)), plan)
    among = {b"user %d" % number for number in range(101, 901)}
    assert set(part.user_ids) == among & set(gone.user_ids)
    _, other = held_out_users.separate(MANY, _plan(seed=1, held_out_users=0.3))
    assert set(other.user_ids) != set(gone.user_ids)


FEW = _users({b"a": [0, 1, 2], b"b": [3], b"c": [5, 4]})


def test_the_last_item_is_to_be_found_from_those_before():
    records, found = held_out_users.lists(
        FEW, plan=_plan(held_out_users=0.5), vocabulary=IDS
    )
    assert records.to_pylist() == [
        {"user_id": [b"a"], "candidate_ids": [b"i2"], "seen_ids": [b"i0", b"i1"]},
        {"user_id": [b"c"], "candidate_ids": [b"i4"], "seen_ids": [b"i5"]},
    ]
    assert found == {"held_out_users": 3, "num_users": 3}


def test_of_later_items_the_first_is_to_be_found():
    time = datetime.datetime.fromtimestamp(1, datetime.timezone.utc)
    plan = _plan(held_out_users=0.5, split="temporal", split_time=time)
    records, _ = held_out_users.lists(FEW, plan=plan, vocabulary=IDS)
    # User a has times 0, 1 and 2; users b and c have nothing before time 1.
    assert records.to_pylist() == [
        {"user_id": [b"a"], "candidate_ids": [b"i1"], "seen_ids": [b"i0"]},
    ]


@pytest.mark.parametrize("fraction", [-0.1, 0.51])
def test_fractions_that_leave_too_little(fraction):
    with pytest.raises(ValueError, match="held_out_users"):
        SamplingConfig(held_out_users=fraction)


def test_only_a_network_of_histories_that_begins_anew_has_strangers():
    sampling = SamplingConfig(held_out_users=0.1)
    cold, warm = TrainConfig(), TrainConfig(warm_start="latest_blessed")
    check_together(ModelConfig(), cold, sampling)
    for model, train in (
        (ModelConfig(history=None), cold),
        (ModelConfig(), warm),
    ):
        check_together(model, train, SamplingConfig())
        with pytest.raises(ValueError, match=r"`sampling.held_out_users` must be 0"):
            check_together(model, train, sampling)
