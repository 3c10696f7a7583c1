"""A warm start gives each known id its old rows: by hand, and in whole trainings."""

import numpy as np
import pytest

from ncf_model.config import HistoryConfig, TrainConfig
from ncf_model.history import encoder, warm_start
from ncf_model.sampling.ragged import Ragged
from tests.ncf_model.nights import ITEMS, PEOPLE, Night

NONE = Ragged(np.zeros(0, np.int32), np.zeros(1, np.int64))


def _base(**fields):
    tables = encoder.Tables(
        np.array([[1.0], [3.0]]),
        np.array([[10.0], [20.0]]),
        np.array([[2.0], [4.0]]),
        np.array([0.5, 1.5]),
    )
    values = {
        "path": "served",
        "user_ids": [b"ann", b"bob"],
        "item_ids": [b"x", b"y"],
        "tables": tables,
        "histories": NONE,
        "l2": 100.0,
        "weight": 8.0,
    }
    return warm_start.HistoryBase(**values | fields)


def test_known_ids_keep_their_rows_in_new_places_and_new_ones_are_the_mean():
    fresh = encoder.Tables(
        np.zeros((4, 1), np.float32),  # bob, new, ann, and a row of padding
        np.full((3, 1), 0.5, np.float32),  # y, new, x
        np.full((3, 1), 0.25, np.float32),
        np.array([0.0, -1.0, 0.0], np.float32),
    )
    tables = warm_start.carry(
        _base(), fresh, user_ids=[b"bob", b"new", b"ann"], item_ids=[b"y", b"z", b"x"]
    )
    assert tables.user[:, 0].tolist() == [3, 2, 1, 0]
    # The new row is the mean of 10 and 20 plus its random start of 0.5.
    assert tables.history[:, 0].tolist() == [20, 15.5, 10]
    assert tables.item[:, 0].tolist() == [4, 3.25, 2]
    # The new bias is moved by 1, the mean difference of known from fresh biases.
    assert tables.bias.tolist() == [1.5, 0.0, 0.5]


def test_what_is_gone_is_dropped():
    fresh = encoder.Tables(*(np.zeros((1, 1), np.float32),) * 3, np.zeros(1))
    tables = warm_start.carry(_base(), fresh, user_ids=[], item_ids=[b"y"])
    assert tables.history.tolist() == [[20]]
    assert tables.item.tolist() == [[4]]


def test_settings_are_those_near_the_base():
    train = TrainConfig(epochs=15, warm_epochs=3, warm_rate=0.5)
    history = HistoryConfig(learning_rate=0.01)
    warm, near = warm_start.settings(train, history, _base(), lists=1000)
    assert (warm.epochs, near.learning_rate, near.linear_l2) == (3, 0.005, (100.0,))
    assert near.linear_weights == (4, 8, 16)
    _, few = warm_start.settings(train, history, _base(), lists=10)
    assert few.linear_weights == (8.0,)
    assert few.ials_shares == history.ials_shares  # The base has no iALS.
    base = _base(ials=(0.01, 0.3, 2.0))
    _, known = warm_start.settings(TrainConfig(), history, base, 499)
    chosen = known.ials_l2, known.ials_unobserved, known.ials_shares
    assert chosen == ((0.01,), (0.3,), (2.0,))
    _, without = warm_start.settings(train, history, _base(l2=np.nan), lists=1000)
    assert without.linear_l2 == history.linear_l2


MODEL = {"history": {"factors": 2, "users_per_batch": 2}}


def _train(night, **train):
    """Trains; returns what a warm start reads of the model, and the history."""
    path, told = night.train(MODEL, **train)
    return warm_start.read(path), told


@pytest.fixture(scope="module", name="first")
def _first(tmp_path_factory, records):
    root = tmp_path_factory.mktemp("first")
    return _train(Night(root, records, [b"ann", b"bob", b"eve"], ITEMS, PEOPLE))


def test_a_cold_start_says_nothing_of_a_warm_one(first):
    base, told = first
    assert told["warm_start"] is None
    assert (base.user_ids, base.item_ids) == ([b"ann", b"bob", b"eve"], ITEMS)
    trained = [base.histories.values[a:b].tolist() for a, b in ((0, 3), (3, 5), (5, 8))]
    assert trained == [[0, 1, 2], [1, 0], [2, 3, 0]]
    assert base.tables.user.shape == (3, 2)


def test_through_a_training_rows_follow_ids_though_all_places_change(
    first, tmp_path, records
):
    base, _ = first
    people = {
        # The first model has trained on no user's validation item of this data.
        b"bob": ([b"i1", b"i0", b"i2"], [b"i4"], [b"i6"]),
        b"eve": PEOPLE[b"eve"],
        b"zoe": ([b"i6", b"i0"], [b"i1"], [b"i2"]),
    }
    items = [b"i4", b"i6", b"i2", b"i0", b"i1"]  # i3 is gone, i6 is new
    people[b"eve"] = ([b"i2", b"i0"], [b"i4"], [b"i1"])
    night = Night(tmp_path, records, [b"zoe", b"eve", b"bob"], items, people)
    # With so small a learning rate the rows stay what the warm start made them.
    warm, told = _train(
        night,
        base=base.path,
        warm_start="latest_blessed",
        warm_epochs=1,
        warm_rate=1e-7,
    )
    assert told["warm_start"] == {
        "from": base.path,
        "known_users": 2,
        "new_users": 1,
        "gone_users": 1,
        "known_items": 4,
        "new_items": 1,
        "gone_items": 1,
        "validation_lists": 3,
        "validation_lists_it_had_trained_on": 0,
    }
    assert len(told["epochs"]) == 1
    for name, ids in (
        ("user", "user_ids"),
        ("history", "item_ids"),
        ("item", "item_ids"),
    ):
        before = dict(zip(getattr(base, ids), getattr(base.tables, name), strict=True))
        after = dict(zip(getattr(warm, ids), getattr(warm.tables, name), strict=True))
        known = before.keys() & after.keys()
        assert known
        for raw in known:
            np.testing.assert_allclose(after[raw], before[raw], atol=1e-6)
    np.testing.assert_allclose(
        warm.tables.user[0], base.tables.user.mean(axis=0), atol=1e-6
    )


def test_validation_items_that_the_base_trained_on_do_not_count(
    first, tmp_path, records
):
    base, _ = first
    ann = [b"i1", b"i2", b"i4"]  # i4 is new.
    people = {b"ann": (ann, [b"i0"], [b"i3"]), b"bob": PEOPLE[b"bob"]}
    night = Night(tmp_path, records, [b"ann", b"bob"], ITEMS, people)
    _, told = _train(night, base=base.path, warm_start="latest_blessed")
    assert told["warm_start"]["validation_lists"] == 1
    assert told["warm_start"]["validation_lists_it_had_trained_on"] == 1


@pytest.mark.parametrize(
    ("people", "why"),
    [
        ({b"ann": ([b"i0", b"i1"], [], [b"i2"])}, "trained on 1 of the items"),
        # As after a folder was moved, the record does not name the model's data.
        (PEOPLE, "trained on all of these interactions already"),
        ({b"eve": PEOPLE[b"eve"]}, "trained on all of these interactions already"),
        (None, "there is no served model"),
    ],
)
def test_a_cold_start_says_why(first, tmp_path, records, people, why):
    base, _ = first
    night = Night(tmp_path, records, [b"ann", b"bob", b"eve"], ITEMS, people or PEOPLE)
    _, told = _train(
        night, base=base.path if people else None, warm_start="latest_blessed"
    )
    assert why in told["warm_start"]["cold_because"]
    assert len(told["epochs"]) == 3


def test_a_model_of_another_kind(tmp_path):
    with pytest.raises(ValueError, match="is no model of users by their history"):
        warm_start.read(str(tmp_path))
