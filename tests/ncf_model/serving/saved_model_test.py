"""The SavedModel's answers, on scores that a reader can multiply."""

import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.config import ModelConfig
from ncf_model.evaluation import ranking
from ncf_model.network import model
from ncf_model.serving import saved_model
from tests.ncf_model.serving import operations

USERS = [b"ann", b"bob", b"\xc3\xa9ve", b"007", b"only one"]
ITEMS = [b"i0", b"i1", b"i2", b"i3", b"i4", b"i5", b"i6"]


def _network(**settings):
    """A network with logit (u + 1) * (7 - i) - 10 for user u and item i."""
    settings = {"type": "gmf", "mf_dim": 1, "gmf_output": "ones"} | settings
    network = model.NeuMF(ModelConfig(**settings), num_users=5, num_items=7)
    network.user_table.embeddings.assign([[1.0], [2.0], [3.0], [4.0], [5.0], [0.0]])
    network.item_table.embeddings.assign([[7.0 - i] for i in range(7)] + [[0.0]])
    network.scorer.output_bias.assign([-10.0])
    return network


def _export(network, tiny, *, refitted=True):
    return tf.saved_model.load(tiny.export(network, refitted=refitted))


def _sigmoid(*logits):
    return 1 / (1 + np.exp(-np.array(logits)))


def _score(loaded, user_ids, item_ids):
    return loaded.signatures["serving_default"](
        user_id=tf.constant(user_ids), item_id=tf.constant(item_ids)
    )["score"].numpy()


def _recommend(loaded, user_ids, k):
    out = loaded.signatures["recommend"](
        user_id=tf.constant(user_ids), k=tf.constant(k)
    )
    return out["item_ids"].numpy().tolist(), out["scores"].numpy()


def _evaluate(loaded, lists):
    """Evaluates (user, candidates) pairs, or triples with the user's seen items."""
    names = ("user_id", "candidate_ids", "seen_ids")
    examples = [
        tf.train.Example(
            features=tf.train.Features(
                feature={
                    name: tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
                    for name, values in zip(names, ([user], *ids), strict=False)
                }
            )
        ).SerializeToString()
        for user, *ids in lists
    ]
    evaluate = loaded.signatures["evaluate"]
    return evaluate(examples=tf.constant(examples))["scores"].numpy()


@pytest.fixture
def loaded(tiny):
    return _export(_network(), tiny)


def test_score_is_a_probability(loaded):
    scores = _score(loaded, [b"ann", b"\xc3\xa9ve", b"007"], [b"i0", b"i5", b"i4"])
    # The logits are 1 * 7 - 10, 3 * 2 - 10 and 4 * 3 - 10.
    np.testing.assert_allclose(scores, _sigmoid(-3, -4, 2), rtol=1e-5)


def test_score_refuses_columns_of_different_length(loaded):
    for users, items in ((["ann"], ["i0", "i5"]), (["ann", "bob"], ["i0"])):
        with pytest.raises(tf.errors.InvalidArgumentError, match="one entry each"):
            _score(loaded, users, items)


def test_unknown_ids_are_the_average(loaded):
    # The mean of the five users' rows is 3, that of the items' rows is 4.
    scores = _score(loaded, [b"nobody", b"ann", b"nobody"], [b"i6", b"?", b"?"])
    np.testing.assert_allclose(scores, _sigmoid(3 - 10, 4 - 10, 12 - 10), rtol=1e-5)


def test_recommends_the_best_unseen(loaded):
    # Ann has items 0 to 4, Bob has 0, 1, 2 and 5, and user "only one" has item 0.
    ids, scores = _recommend(loaded, [b"ann", b"bob", b"only one"], 2)
    assert ids == [[b"i5", b"i6"], [b"i3", b"i4"], [b"i1", b"i2"]]
    expected = [_sigmoid(-8, -9), _sigmoid(-2, -4), _sigmoid(20, 15)]
    np.testing.assert_allclose(scores, expected, rtol=1e-5)


def test_unknown_user_gets_the_most_popular(loaded):
    # With validation items, items 0, 1, 2 and 3 trained for 5, 3, 3 and 2 users.
    ids, scores = _recommend(loaded, [b"nobody", b"bob"], 4)
    assert ids[0] == [b"i0", b"i1", b"i2", b"i3"]
    np.testing.assert_allclose(scores[0], [1.0, 0.6, 0.6, 0.4])
    assert ids[1][0] == b"i3"


def test_popularity_without_refit_leaves_validation_items_out(tiny):
    _, scores = _recommend(_export(_network(), tiny, refitted=False), [b"nobody"], 3)
    # Bob's validation item 2 did not train.
    np.testing.assert_allclose(scores[0], [1.0, 0.6, 0.4])


@pytest.mark.parametrize("k", [3, 7, 9])
def test_what_is_missing_is_blank(loaded, k):
    ids, scores = _recommend(loaded, [b"ann"], k)
    assert ids == [[b"i5", b"i6"] + [b""] * (k - 2)]
    assert scores.shape == (1, k)
    assert (scores[0, 2:] == 0).all()


def test_no_recommendations_asked_for(loaded):
    ids, scores = _recommend(loaded, [b"ann", b"bob"], 0)
    assert ids == [[], []]
    assert scores.shape == (2, 0)
    with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must be 0 or more"):
        _recommend(loaded, [b"ann"], -1)


def test_no_users(loaded):
    ids, scores = _recommend(loaded, np.array([], object), 3)
    assert ids == []
    assert scores.shape == (0, 3)


def test_equal_scores_in_order_of_index(tiny):
    network = _network()
    network.item_table.embeddings.assign(np.ones((8, 1)))
    ids, _ = _recommend(_export(network, tiny), [b"only one"], 3)
    assert ids == [[b"i1", b"i2", b"i3"]]


def test_ranks_where_probabilities_saturate(tiny):
    """Logits 1,000 to 7,000 all have probability 1, but still decide the order."""
    network = _network()
    network.item_table.embeddings.assign([[1e3 * (i + 1)] for i in range(8)])
    ids, scores = _recommend(_export(network, tiny), [b"only one"], 3)
    assert ids == [[b"i6", b"i5", b"i4"]]
    assert (scores == 1).all()


def test_blocks_of_users(tiny, monkeypatch):
    monkeypatch.setattr(saved_model, "_BLOCK_LOGITS", 2 * 7)
    ids, _ = _recommend(_export(_network(), tiny), [b"ann", b"bob", b"only one"], 2)
    assert ids == [[b"i5", b"i6"], [b"i3", b"i4"], [b"i1", b"i2"]]


def test_evaluate_gives_logits_in_order(loaded):
    scores = _evaluate(
        loaded, [(b"ann", [b"i6", b"i0", b"i3"]), (b"007", [b"i1", b"?"])]
    )
    np.testing.assert_allclose(
        scores, [[-9, -3, -6], [4 * 6 - 10, 4 * 4 - 10, -np.inf]], rtol=1e-6
    )


def test_evaluate_ranks_the_whole_catalogue(loaded):
    gone, own = -np.inf, np.inf
    scores = _evaluate(
        loaded,
        [
            (b"bob", [b"i3"], [b"i0", b"i5"]),
            # Unknown candidates score as the mean item; unknown seen ids are ignored.
            (b"ann", [b"?"], [b"i6", b"i1", b"?"]),
        ],
    )
    np.testing.assert_allclose(
        scores,
        [
            [2 * 4 - 10, gone, 2, 0, own, -4, gone, -8],
            [4 - 10, -3, gone, -5, -6, -7, -8, gone],
        ],
        rtol=1e-6,
        atol=1e-6,
    )


def test_infinite_logit_is_not_taken_for_one_left_out(tiny):
    network = _network()
    rows = network.item_table.embeddings.numpy()
    rows[2] = -np.inf
    network.item_table.embeddings.assign(rows)
    scores = _evaluate(_export(network, tiny), [(b"bob", [b"i3"], [b"i0"])])
    assert np.isnan(scores[0, 3])


@pytest.mark.parametrize(
    "lists",
    [
        [(b"bob", [b"i3"], [b"i0"]), (b"ann", [b"i3"])],
        [(b"bob", [b"i3", b"i4"], [b"i0"])],
    ],
)
def test_records_of_two_kinds(loaded, lists):
    with pytest.raises(tf.errors.InvalidArgumentError, match="one kind of record"):
        _evaluate(loaded, lists)


def _random_network(settings):
    network = model.NeuMF(ModelConfig(**settings), num_users=5, num_items=7)
    weights = [np.random.default_rng(0).normal(size=w.shape) for w in network.weights]
    for variable, weight in zip(network.weights, weights, strict=True):
        if "seed" not in variable.path:
            variable.assign(weight)
    return network


def test_ranks_in_the_catalogue_are_those_of_brute_force(tiny, monkeypatch):
    # The 5 users are ranked 2 at a time.
    monkeypatch.setattr(saved_model, "_BLOCK_VALUES", 2 * 7 * 4)
    network = _random_network({"mf_dim": 3, "layers": (6, 4), "biases": True})
    loaded = _export(network, tiny)
    users, items = np.repeat(np.arange(5), 7), np.tile(np.arange(7), 5)
    logits = network([users, items]).numpy().reshape(5, 7)
    for held_out in range(7):
        seen = [{(held_out + 1) % 7, (held_out + u + 1) % 7} for u in range(5)]
        lists = [
            (USERS[u], [ITEMS[held_out]], [ITEMS[i] for i in seen[u]]) for u in range(5)
        ]
        scores = _evaluate(loaded, lists)
        assert (np.isposinf(scores).sum(axis=1) == 1).all()
        scores[np.isposinf(scores)] = -np.inf
        expected = [
            sum(
                row[item] >= row[held_out]
                for item in range(7)
                if item != held_out and item not in seen[u]
            )
            for u, row in enumerate(logits)
        ]
        assert ranking.ranks(scores).tolist() == expected


@pytest.mark.parametrize(
    "settings",
    [
        {"mf_dim": 3, "layers": (6, 4, 3), "biases": True, "dropout": 0.5},
        {"type": "mlp", "layers": (6, 4)},
        {"type": "gmf", "biases": True},
    ],
)
def test_agrees_with_the_network(tiny, settings):
    network = _random_network(settings)
    loaded = _export(network, tiny)
    users, items = np.repeat(np.arange(5), 7), np.tile(np.arange(7), 5)
    logits = network([users, items]).numpy()
    scores = _score(loaded, [USERS[u] for u in users], [ITEMS[i] for i in items])
    np.testing.assert_allclose(scores, _sigmoid(*logits), rtol=1e-4)
    lists = _evaluate(loaded, [(user, ITEMS) for user in USERS])
    np.testing.assert_allclose(lists, logits.reshape(5, 7), rtol=1e-4, atol=1e-5)
    _, best = _recommend(loaded, [b"only one"], 1)
    assert best[0, 0] == pytest.approx(_sigmoid(*logits[29:35]).max(), rel=1e-4)


def test_loads_without_this_package(loaded, tiny, tmp_path):
    del loaded
    code = f"""
import sys, tensorflow as tf
loaded = tf.saved_model.load({str(tiny.root / "model")!r})
out = loaded.signatures["recommend"](user_id=tf.constant(["ann"]), k=tf.constant(1))
assert "ncf_model" not in sys.modules
print(out["item_ids"].numpy()[0, 0].decode())
"""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "i5\n", done.stderr


@pytest.mark.parametrize("settings", [{}, {"type": "neumf", "layers": (4, 2)}])
def test_no_table_is_copied_when_it_is_read(tiny, settings):
    """After a ResourceGather every read of the same variable makes a copy."""
    network = _random_network(settings) if settings else _network()
    _export(network, tiny)
    used = operations.of(tiny.root / "model")
    assert {"ReadVariableOp", "GatherV2"} <= used
    assert not {name for name in used if name.startswith("ResourceGather")}


def test_moves_as_a_folder(loaded, tiny, tmp_path):
    """The model's folder contains the vocabularies."""
    del loaded
    moved = pathlib.Path(tiny.root / "model").rename(tmp_path / "moved")
    (tiny.root / "transform_fn").rename(tmp_path / "elsewhere")
    loaded = tf.saved_model.load(str(moved))
    assert _recommend(loaded, [b"ann"], 1)[0] == [[b"i5"]]


def test_who_has_not_trained_is_unknown(tiny, records):
    """With a temporal split, user "only one" has nothing but held-out items."""
    path = tiny.root / "Split-train/data_tfrecord-00000-of-00002.gz"
    rows = [records.train(3, [2, 3, 0, 1], [5], [6]), records.train(4, [], [], [0, 2])]
    records.write(path, rows)
    loaded = _export(_network(), tiny)
    # The four users who trained have mean row 2.5; the row of "only one" is 5.
    users = [b"only one", b"nobody"]
    scores = _score(loaded, users, [b"i5", b"i5"])
    np.testing.assert_allclose(scores, _sigmoid(5 - 10, 5 - 10), rtol=1e-5)
    lists = _evaluate(loaded, [(user, [b"i5", b"i6"]) for user in users])
    np.testing.assert_allclose(lists, [[-5, -7.5]] * 2, rtol=1e-6)
    # Items 0, 1, 2 and 3 trained for 4, 3, 3 and 2 users; 0 and 2 are not recommended
    # to "only one", for whom they are held out.
    ids, scores = _recommend(loaded, users, 2)
    assert ids == [[b"i1", b"i3"], [b"i0", b"i1"]]
    np.testing.assert_allclose(scores, [[0.6, 0.4], [0.8, 0.6]])
