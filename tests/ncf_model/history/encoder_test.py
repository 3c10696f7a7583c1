"""The loss of the history encoder by hand, and its training."""

import numpy as np

from ncf_model.config import HistoryConfig
from ncf_model.history import batches, encoder

SETTINGS = HistoryConfig(factors=1, users_per_batch=2, l2=0.0, dropout=0.0)


def _loop(history, item, bias, **settings):
    tables = encoder.Tables(
        np.zeros((3, 1), np.float32),
        *(np.array(x, np.float32) for x in (history, item, bias)),
    )
    settings = SETTINGS.model_copy(update=settings)
    return encoder.Loop(tables, settings, jit_compile=False)


def _batch(cells):
    cells = np.array(cells, np.uint8)
    rows = np.arange(len(cells), dtype=np.int32)
    return batches.UserBatch(rows, None, cells, np.zeros(cells.shape[1], np.float32))


def _loss(loop, cells):
    return float(loop.step(_batch(cells), rate=0.0, epoch=1))


def test_an_item_alone_is_scored_by_bias_whatever_it_says_of_itself():
    # All logits of items 0, 1 and 2 are equal, so the loss is -log(1 / 3).
    for itself in (0.0, 50.0):
        loop = _loop([[itself], [0], [0]], [[1], [0], [0]], [0, 0, 0])
        np.testing.assert_allclose(
            _loss(loop, [[2, 0, 0], [0, 0, 0]]), np.log(3), rtol=1e-5
        )


def test_items_vouch_for_each_other_by_the_root_of_the_history():
    # Two items make the user's vector (3 + 0) / sqrt(2): item 1's logit; item 0's is 0.
    loop = _loop([[3], [0], [0]], [[0], [1], [0]], [0, 0, 0])
    logit = 3 / np.sqrt(2)
    expected = (np.log(2) + np.log(1 + np.exp(-logit))) / 2
    np.testing.assert_allclose(_loss(loop, [[2, 2, 0], [0, 0, 0]]), expected, rtol=1e-5)


def test_a_hidden_item_says_nothing_but_is_still_wanted():
    loop = _loop([[3], [0], [0]], [[0], [1], [0]], [0, 0, 0])
    expected = (np.log(2) + np.log(2)) / 2
    np.testing.assert_allclose(_loss(loop, [[1, 2, 0], [0, 0, 0]]), expected, rtol=1e-5)


def test_training_lowers_the_loss_and_state_goes_back():
    loop = _loop([[0.1], [0.2], [0.3]], [[0.1], [-0.1], [0.2]], [0, 0, 0])
    cells = [[2, 2, 0], [0, 2, 0]]
    before, state = _loss(loop, cells), loop.state()
    for epoch in range(1, 31):
        loop.step(_batch(cells), rate=0.1, epoch=epoch)
    assert _loss(loop, cells) < before / 2
    loop.restore(state)
    np.testing.assert_allclose(_loss(loop, cells), before, rtol=1e-6)


def test_sampled_columns_train_their_rows_alone():
    loop = _loop(np.ones((4, 1)), np.ones((4, 1)), np.zeros(4))
    cells = np.array([[2, 0], [2, 0]], np.uint8)
    batch = batches.UserBatch(
        np.array([0, 1], np.int32),
        np.array([1, 3], np.int32),
        cells,
        np.zeros(2, np.float32),
    )
    loop.step(batch, rate=0.1, epoch=1)
    changed = loop.tables().bias != 0
    assert changed.tolist() == [False, True, False, True]
