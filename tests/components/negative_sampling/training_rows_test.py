import numpy as np
import pytest

from components.negative_sampling import splitting, training_rows
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from ncf_model.config import SamplingConfig
from ncf_model.sampling import negatives
from ncf_model.sampling.ragged import Ragged

# User -> items by time; there are six items.
USERS = {b"a": [0, 1, 2, 3], b"b": [3, 4], b"c": [5]}
POSITIVES = {b"a": [0, 1], b"b": [3], b"c": [5]}
REFIT = {b"a": [0, 1, 2], b"b": [3], b"c": [5]}


def _rows(*, users=USERS, epochs=3, refit=True, weights=None, num_items=6, **settings):
    config = SamplingConfig(**{"mode": "materialised", "num_negatives": 2} | settings)
    offsets = np.cumsum([0, *(len(items) for items in users.values())])
    items = np.array([item for items in users.values() for item in items])
    batch = Users(
        list(users), np.arange(len(users)), Ragged(items, offsets), np.zeros(len(items))
    )
    plan = Plan(
        config=config,
        epochs=epochs,
        refit=refit,
        seed=0,
        num_items=num_items,
        num_users=4,
    )
    split = splitting.split(batch.items, batch.timestamps, config)
    return [
        row
        for part in training_rows.batches(batch, split, plan=plan, weights=weights)
        for row in part.to_pylist()
    ]


def _streamed(items, user_id, epoch, weights=None):
    """Returns the negatives that the trainer draws for one user."""
    return negatives.training_negatives(
        np.array(items),
        np.array([0, len(items)]),
        negatives.user_keys([user_id], 0),
        epoch=epoch,
        num_negatives=2,
        num_items=6,
        weights=weights,
    ).tolist()


def test_streaming_mode_writes_no_negatives():
    assert _rows(mode="streaming") == [
        {
            "user_id": [b"a"],
            "user_index": [0],
            "positives": [0, 1],
            "validation_items": [2],
            "eval_items": [3],
        },
        {
            "user_id": [b"b"],
            "user_index": [1],
            "positives": [3],
            "validation_items": [],
            "eval_items": [4],
        },
        {
            "user_id": [b"c"],
            "user_index": [2],
            "positives": [5],
            "validation_items": [],
            "eval_items": [],
        },
    ]


@pytest.mark.parametrize("weights", [None, np.array([9, 1, 5, 3, 2, 7])])
def test_every_epoch_has_the_negatives_that_streaming_draws(weights):
    for row in _rows(weights=weights):
        user_id = row["user_id"][0]
        for name, items in (("negatives", POSITIVES), ("refit_negatives", REFIT)):
            expected = [
                negative
                for epoch in range(3)
                for negative in _streamed(items[user_id], user_id, epoch, weights)
            ]
            assert row[name] == expected


def test_held_out_items_may_be_drawn_until_they_train():
    row = _rows(epochs=100)[0]
    assert set(row["negatives"]) == {2, 3, 4, 5}
    assert set(row["refit_negatives"]) == {3, 4, 5}


def test_without_refit():
    assert "refit_negatives" not in _rows(refit=False)[0]


def test_large_batches_are_cut(monkeypatch):
    whole = _rows()
    monkeypatch.setattr(training_rows, "_LARGEST", 1)
    assert _rows() == whole


@pytest.mark.parametrize("mode", ["streaming", "materialised"])
def test_user_who_has_seen_everything(mode):
    """All of user z's items are before the split; the last trains in the refit."""
    users = {b"a": [0], b"z": [2, 1, 0]}
    options = {"users": users, "split": "temporal", "split_time": 9, "mode": mode}
    with pytest.raises(ValueError, match="user 'z', who trains on all 3 items"):
        _rows(num_items=3, **options)
    assert len(_rows(num_items=4, **options)) == 2


def test_what_is_held_out_leaves_a_negative():
    users = {b"z": [2, 1, 0]}
    (row,) = _rows(users=users, num_items=3)
    assert set(row["negatives"]) <= {0, 1}
    assert set(row["refit_negatives"]) == {0}
