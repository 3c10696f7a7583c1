"""Reading the sampled records, and the rows of an epoch."""

import numpy as np
import pytest

from ncf_model.config import SamplingConfig
from ncf_model.sampling import negatives as negatives_module
from ncf_model.training import data


def _rows(tiny, *, refit=False, seed=0, **settings):
    return data.EpochRows(
        data.load_interactions(tiny.train),
        SamplingConfig(**settings),
        num_items=7,
        seed=seed,
        refit=refit,
    )


def _pairs(users, items):
    return sorted(zip(users.tolist(), items[:, 0].tolist(), strict=True))


def test_users_come_sorted_whatever_the_files(tiny):
    read = data.load_interactions(tiny.train)
    assert read.user_index.tolist() == [0, 1, 2, 3, 4]
    assert read.user_ids == [b"ann", b"bob", b"\xc3\xa9ve", b"007", b"only one"]
    assert read.positives.values.tolist() == [0, 1, 2, 1, 0, 0, 2, 3, 0, 1, 0]
    assert read.positives.sizes.tolist() == [3, 2, 1, 4, 1]
    assert read.validation_items.values.tolist() == [3, 2, 5]
    assert read.eval_items.sizes.tolist() == [1, 1, 1, 1, 0]
    assert read.negatives is None


def test_validation_lists(tmp_path, records):
    path = tmp_path / "data_tfrecord-00000.gz"
    records.write(path, [records.list(3, [5, 4]), records.list(0, [3, 5, 6])])
    assert data.load_lists([str(path)]) == (
        [b"007", b"ann"],
        [[b"i5", b"i4"], [b"i3", b"i5", b"i6"]],
    )


def test_no_validation_lists(tmp_path, records):
    records.write(tmp_path / "data_tfrecord-00000.gz", [])
    assert data.load_lists([str(tmp_path / "data_tfrecord-*")]) == ([], [])


def test_missing_files(tmp_path):
    with pytest.raises(ValueError, match=r"No file matches .*/nothing"):
        data.load_interactions([str(tmp_path / "nothing-*")])


@pytest.mark.parametrize("users", [[], [(0, [], [1], [2])]])
def test_nothing_to_train_on(tmp_path, records, users):
    rows = [records.train(*user) for user in users]
    records.write(tmp_path / "data_tfrecord-00000.gz", rows)
    with pytest.raises(ValueError, match=f"none of {len(users)} users"):
        data.load_interactions([str(tmp_path / "data_tfrecord-*")])


def test_an_epoch_has_each_positive_once_with_its_negatives(tiny):
    rows = _rows(tiny, num_negatives=3)
    users, items = rows.draw(0)
    assert len(rows) == len(users) == 11
    assert items.shape == (11, 4)
    assert items.dtype == users.dtype == np.int32
    own = {0: [0, 1, 2], 1: [0, 1], 2: [0], 3: [0, 1, 2, 3], 4: [0]}
    assert _pairs(users, items) == [(u, i) for u in own for i in own[u]]
    for user, negatives in zip(users.tolist(), items[:, 1:], strict=True):
        assert not set(own[user]) & set(negatives.tolist())


def test_held_out_items_may_be_negatives(tiny):
    rows = _rows(tiny, num_negatives=50)
    users, items = rows.draw(0)
    assert set(items[users == 0, 1:].ravel().tolist()) == {3, 4, 5, 6}


def test_refit_counts_validation_items_as_positives(tiny):
    rows = _rows(tiny, refit=True, num_negatives=50)
    users, items = rows.draw(0)
    assert len(rows) == 14
    assert _pairs(users, items)[:4] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert set(items[users == 0, 1:].ravel().tolist()) == {4, 5, 6}


def test_order_and_negatives_depend_on_seed_and_epoch(tiny):
    def draw(seed, epoch):
        users, items = _rows(tiny, seed=seed).draw(epoch)
        return np.column_stack([users, items]).tolist()

    assert draw(0, 1) == draw(0, 1)
    assert draw(0, 1) != draw(0, 2)
    assert draw(0, 1) != draw(1, 1)
    orders = [_rows(tiny).draw(epoch)[0].tolist() for epoch in range(3)]
    assert orders[0] != orders[1] != orders[2]


def test_small_blocks_draw_the_same(tiny, monkeypatch):
    _, whole = _rows(tiny).draw(0)
    monkeypatch.setattr(data, "_DRAW_ROWS", 8)
    np.testing.assert_array_equal(_rows(tiny).draw(0)[1], whole)


@pytest.mark.parametrize("refit", [False, True])
def test_materialised_rows_are_those_of_streaming(tiny, tmp_path, records, refit):
    streamed = _rows(tiny, refit=refit, num_negatives=2, seed=5)
    read = data.load_interactions(tiny.train)
    keys = negatives_module.user_keys(read.user_ids, 5)
    rows = []
    for user in range(5):
        positives, validation = (
            lists.take(np.array([user])).values.tolist()
            for lists in (read.positives, read.validation_items)
        )
        phases = {"negatives": positives, "refit_negatives": positives + validation}
        drawn = {
            name: np.concatenate(
                [
                    negatives_module.training_negatives(
                        np.array(items),
                        np.array([0, len(items)]),
                        keys[user : user + 1],
                        epoch=epoch,
                        num_negatives=2,
                        num_items=7,
                    )
                    for epoch in range(2)
                ]
            ).tolist()
            for name, items in phases.items()
        }
        rows.append(records.train(user, positives, validation, [], **drawn))
    records.write(tmp_path / "data_tfrecord-00000.gz", rows)
    stored = data.EpochRows(
        data.load_interactions([str(tmp_path / "data_tfrecord-*")], materialised=True),
        SamplingConfig(mode="materialised", num_negatives=2),
        num_items=7,
        seed=5,
        refit=refit,
    )
    for epoch in range(2):
        for ours, theirs in zip(stored.draw(epoch), streamed.draw(epoch), strict=True):
            np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="Epoch 3 lacks materialised negatives"):
        stored.draw(2)


def test_popular_negatives_are_drawn_more_often(tiny):
    settings = {"distribution": "popularity", "popularity_alpha": 3.0}
    users, items = _rows(tiny, num_negatives=200, **settings).draw(0)
    # User 2 has item 0. Items 1 to 3 train 3, 2, 1 times: weights 27, 8, 1; others 1.
    drawn = np.bincount(items[users == 2, 1:].ravel(), minlength=7)
    assert drawn[0] == 0
    assert drawn[1] == pytest.approx(200 * 27 / 39, abs=25)


def test_prefetched_epochs_come_in_order(tiny):
    rows = _rows(tiny)
    epochs = list(data.prefetched(rows, range(3)))
    assert len(epochs) == 3
    for epoch, (_, items) in enumerate(epochs):
        np.testing.assert_array_equal(items, rows.draw(epoch)[1])
