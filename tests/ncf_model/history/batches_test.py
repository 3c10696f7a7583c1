"""Batches of users: an epoch has every user once, with the items of the history."""

import numpy as np

from ncf_model.history import batches
from ncf_model.sampling.ragged import Ragged

# Items of users 0 to 4; user 3 has none.
LISTS = Ragged(np.array([0, 1, 2, 0, 5, 4, 1], np.int32), np.array([0, 3, 5, 6, 6, 7]))
OWN = [{0, 1, 2}, {0, 5}, {4}, set(), {1}]


def _batches(**settings):
    settings = {"users_per_batch": 3, "dropout": 0.5, "most_items": 6} | settings
    return batches.UserBatches(LISTS, num_items=6, seed=1, **settings)


def test_each_user_with_items_once_and_5_fills_up():
    made = list(_batches().prefetched(1))
    assert sorted(np.concatenate([b.rows for b in made])) == [0, 1, 2, 4, 5, 5]
    for batch in made:
        for row, cells in zip(batch.rows, batch.cells, strict=True):
            assert set(np.flatnonzero(cells)) == (OWN[row] if row < 5 else set())


def test_about_half_of_a_history_is_hidden_and_no_two_epochs_are_alike():
    source = _batches()
    cells = [
        np.concatenate([b.cells[b.cells > 0] for b in source.prefetched(epoch)])
        for epoch in range(1, 201)
    ]
    assert np.mean(np.array(cells) == batches.KEPT) == np.clip(
        np.mean(np.array(cells) == batches.KEPT), 0.45, 0.55
    )
    again = np.concatenate([b.cells[b.cells > 0] for b in source.prefetched(1)])
    np.testing.assert_array_equal(cells[0], again)
    assert (cells[0] != cells[1]).any()


def test_a_large_catalogue_is_sampled_and_its_correction_sums_to_the_whole():
    source = _batches(most_items=4, dropout=0.0)
    assert source.num_columns == 2
    total = 0.0
    for epoch in range(600):
        for batch in source.prefetched(epoch):
            assert list(batch.columns) == sorted(set(batch.columns))
            total += np.exp(batch.correction).sum()
    # The correction gives each of six items an expected weight of 1.
    assert total / (600 * len(source)) == np.clip(total / (600 * len(source)), 5.0, 7.0)
