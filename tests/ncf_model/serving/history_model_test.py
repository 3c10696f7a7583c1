"""The served history model: answers for users who trained and for baskets."""

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.config import HistoryConfig, ModelConfig
from ncf_model.history import beside, calibration, encoder, resolve
from ncf_model.history.trained import Trained
from ncf_model.network import model
from ncf_model.serving import history_model, saved_model
from ncf_model.training import data
from tests.ncf_model.serving import operations


@pytest.fixture(name="loaded")
def _loaded(tiny):
    return _exported(tiny, None)


def _exported(tiny, factored, recent=0.0, rows=None):
    """Exports a model with known Q, Y, b and a linear part of three items; loads it.

    If there are `rows` of users, the last user has no item that was trained on.
    """
    interactions = data.load_interactions(tiny.train)
    history = HistoryConfig(
        factors=7, users_per_batch=2, user_rows=rows is not None, recency=recent
    )
    tables = encoder.Tables(
        np.zeros((1, 7), np.float32) if rows is None else rows,
        np.diag(np.arange(7)).astype(np.float32)[:, ::-1].copy(),
        np.eye(7, dtype=np.float32),
        np.arange(7, dtype=np.float32) / 10,
    )
    linear = np.array([[0, 4, 1], [2, 0, 1], [1, 3, 0]], np.float32)
    taken = interactions.positives.then(interactions.validation_items)
    if rows is not None:
        taken = taken.where(taken.row_of_value < 4)
    trained = Trained(
        history,
        tables,
        linear,
        taken.spread(interactions.user_index, 5),
        curve=calibration.Calibration(slope=0.5, offset=-1.0),
        factored=factored,
    )
    settings = resolve.dot_product(ModelConfig(history=history))
    network = model.NeuMF(settings, num_users=5, num_items=7)
    history_model.fill(network, trained)
    path = str(tiny.root / "model")
    saved_model.export(
        network,
        interactions,
        path,
        refitted=True,
        serving=lambda *args, **kwargs: history_model.HistoryServingModel(
            *args, fitted=trained, **kwargs
        ),
        **tiny.vocabularies,
    )
    return tf.saved_model.load(path)


def _items(loaded, baskets, k):
    out = loaded.signatures["recommend_for_items"](
        item_ids=tf.constant(baskets), k=tf.constant(k)
    )
    return out["item_ids"].numpy().tolist(), out["scores"].numpy()


@pytest.fixture(name="factored")
def _factored():
    items = np.random.default_rng(3).standard_normal((7, 3)).astype(np.float32)
    return beside.Factored(items, l2=0.01, unobserved=0.5, weight=2.0, share=1.0)


def test_no_table_is_copied_when_it_is_read(tiny, factored):
    """After a ResourceGather every read of the same variable makes a copy."""
    _exported(tiny, factored, recent=1.0)
    used = operations.of(tiny.root / "model")
    assert {"ReadVariableOp", "GatherV2", "GatherNd"} <= used
    assert not {name for name in used if name.startswith("ResourceGather")}


def test_ials_folds_a_basket_in(tiny, loaded, factored):
    """Scores are those without iALS plus the solution of the normal equations."""
    with_it = _exported(tiny, factored)
    basket = [0, 3]
    v = factored.items[basket]
    gram = v.T @ v + 0.5 * factored.items.T @ factored.items
    gram += 0.01 * (2 + 0.5 * 7) * np.eye(3)
    expected = 2 * factored.items @ np.linalg.solve(gram, v.sum(axis=0))
    asked = [[b"i%d" % item for item in basket] + [b""]] * 2
    before, after = (
        dict(zip(*_logits(model, asked), strict=True)) for model in (loaded, with_it)
    )
    for item in (1, 2, 4, 5, 6):
        name = b"i%d" % item
        assert after[name] - before[name] == pytest.approx(expected[item], abs=1e-3)


def _logits(loaded, baskets):
    items, scores = _items(loaded, baskets, 5)
    return items[0], 2 * (np.log(scores[0] / (1 - scores[0])) + 1)


def test_with_ials_a_user_is_still_answered_as_their_basket_is(tiny, factored):
    loaded = _exported(tiny, factored)
    basket = dict(zip(*_logits(loaded, [[b"i0", b"i1", b"i2"]]), strict=True))
    for item in (b"i3", b"i4", b"i6"):
        alone = loaded.signatures["serving_default"](
            user_id=tf.constant([b"bob"]), item_id=tf.constant([item])
        )["score"].numpy()[0]
        assert 2 * (np.log(alone / (1 - alone)) + 1) == pytest.approx(
            basket[item], abs=1e-3
        )


def test_with_recency_a_later_item_weighs_more(tiny):
    """bob's history is i1, i0, i2: with an exponent of 1 they weigh 2, 3 and 6."""
    loaded = _exported(tiny, None, recent=1.0)
    weights = np.array([2, 3, 6]) * 3 / 11
    # By Y, i1 raises the logit of i5, and i0 and i2 those of i6 and i4.
    asked = [b"i3", b"i4", b"i5", b"i6", b"i0"]
    deep = np.array([0, 2 * weights[2], weights[0], 0, 0]) / np.sqrt(3)
    linear = np.array([0, 0, 0, 0, 2 * weights[0] + 1 * weights[2]])
    logits = deep + linear + np.array([0.3, 0.4, 0.5, 0.6, 0])
    out = loaded.signatures["serving_default"](
        user_id=tf.constant([b"bob"] * 5), item_id=tf.constant(asked)
    )
    np.testing.assert_allclose(
        out["score"].numpy(), _sigmoid(logits / 2 - 1), rtol=1e-5
    )
    shown = loaded.signatures["recommend"](
        user_id=tf.constant([b"bob"]), k=tf.constant(3)
    )
    known = dict(zip(asked, out["score"].numpy(), strict=True))
    items, scores = (shown[name].numpy()[0] for name in ("item_ids", "scores"))
    for item, score in zip(items, scores, strict=True):
        assert score == pytest.approx(known[item], rel=1e-5)


def _sigmoid(logit):
    return 1 / (1 + np.exp(-logit))


def test_a_basket_by_hand(loaded):
    # By Y, i1 adds 1 to i5; by the linear part, 2 to i0 and 1 to i2.
    items, scores = _items(loaded, [[b"i1", b"", b"i1", b"nobody knows"]], 3)
    assert items == [[b"i0", b"i5", b"i2"]]
    logits = np.array([2, 1.5, 1.2])
    np.testing.assert_allclose(scores[0], _sigmoid(logits / 2 - 1), rtol=1e-5)


def test_a_basket_has_the_mean_row_of_the_users_who_trained(tiny):
    rows = np.random.default_rng(0).random((5, 7)).astype(np.float32)
    loaded = _exported(tiny, None, rows=rows)
    found = dict(zip(*_logits(loaded, [[b"i0"]]), strict=True))
    # By Y, i0 adds nothing; by the linear part, 4 to i1 and 1 to i2.
    expected = rows[:4].mean(axis=0) + np.arange(7) / 10 + [0, 4, 1, 0, 0, 0, 0]
    for name, logit in found.items():
        assert logit == pytest.approx(expected[int(name[1:])], abs=1e-3)


def test_a_user_is_answered_as_their_basket_is_but_for_the_held_out_item(loaded):
    # bob trained on i1, i0 and i2; i5 is held out, so is not recommended to bob.
    basket, scores = _items(loaded, [[b"i0", b"i1", b"i2"]], 7)
    out = loaded.signatures["recommend"](
        user_id=tf.constant([b"bob"]), k=tf.constant(7)
    )
    shown = out["item_ids"].numpy()[0].tolist()
    assert shown == [i for i in basket[0] if i != b"i5"][:3] + [b""] * 4
    where = basket[0].index(b"i5")
    np.testing.assert_allclose(
        out["scores"].numpy()[0][:3], np.delete(scores[0], where)[:3], rtol=1e-5
    )


def test_score_and_lists_agree_with_recommend(loaded):
    out = loaded.signatures["recommend"](
        user_id=tf.constant([b"ann", b"bob"]), k=tf.constant(1)
    )
    best = out["item_ids"].numpy()[:, 0]
    alone = loaded.signatures["serving_default"](
        user_id=tf.constant([b"ann", b"bob"]), item_id=tf.constant(best)
    )
    np.testing.assert_allclose(
        alone["score"].numpy(), out["scores"].numpy()[:, 0], rtol=1e-5
    )


def test_one_user_is_not_scored_with_several_items(loaded):
    with pytest.raises(tf.errors.InvalidArgumentError, match="one entry each"):
        loaded.signatures["serving_default"](
            user_id=tf.constant(["ann"]), item_id=tf.constant(["i0", "i5"])
        )


def test_nothing_known_gets_the_most_popular(loaded):
    items, scores = _items(loaded, [[b"nobody knows"], [b""]], 2)
    unknown = loaded.signatures["recommend"](
        user_id=tf.constant([b"stranger"]), k=tf.constant(2)
    )
    assert items == [unknown["item_ids"].numpy()[0].tolist()] * 2
    np.testing.assert_allclose(scores[0], unknown["scores"].numpy()[0])


def test_who_has_not_trained_is_unknown(tiny, records):
    """With a temporal split, user "only one" has nothing but held-out items."""
    path = tiny.root / "Split-train/data_tfrecord-00000-of-00002.gz"
    rows = [records.train(3, [2, 3, 0, 1], [5], [6]), records.train(4, [], [], [0, 2])]
    records.write(path, rows)
    loaded = _exported(tiny, None)
    users, items = ([b"only one", b"nobody"], [b"i5", b"i5"])
    scores = loaded.signatures["serving_default"](
        user_id=tf.constant(users), item_id=tf.constant(items)
    )["score"].numpy()
    assert scores[0] == scores[1]
    got = loaded.signatures["recommend"](user_id=tf.constant(users), k=tf.constant(7))
    ids = [[item for item in row if item] for row in got["item_ids"].numpy()]
    # Both get the most popular items, but "only one" gets neither i0 nor i2.
    assert ids[0] == [item for item in ids[1] if item not in (b"i0", b"i2")]
    assert len(ids[0]) == 5


def test_no_more_than_what_is_left(loaded):
    items, scores = _items(loaded, [[b"i0", b"i1", b"i2", b"i3", b"i4"]], 4)
    assert items[0][2:] == [b"", b""]
    assert scores[0][2:].tolist() == [0, 0]
