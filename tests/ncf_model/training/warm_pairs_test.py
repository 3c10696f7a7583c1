"""Warm start of the network of pairs: each known id keeps the served model's rows."""

import numpy as np
import pytest

from ncf_model import config
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import warm_pairs
from tests.ncf_model.nights import ITEMS, PEOPLE, Night

MODEL = {"mf_dim": 2, "layers": [4, 3], "biases": True}
WARM = {"warm_start": "latest_blessed", "warm_epochs": 1, "warm_rate": 1e-9}
COLD = {"warm_start": "latest_blessed", "batch_size": 10, "jit_compile": False}


def test_by_hand_known_ids_keep_rows_and_new_ones_are_the_mean():
    settings = config.ModelConfig(type="gmf", mf_dim=1)
    network = model.NeuMF(settings, num_users=3, num_items=2)
    for table in (network.user_table, network.item_table):
        table.embeddings.assign(np.full(table.embeddings.shape, 0.5))
    base = warm_pairs.PairsBase(
        path="served",
        user_ids=[b"ann", b"bob", b"never trained"],
        item_ids=[b"x", b"y"],
        histories=Ragged(np.array([0, 1], np.int32), np.array([0, 1, 2, 2])),
        users=np.array([[1.0], [3.0], [100.0]]),
        items=np.array([[10.0], [20.0]]),
        weights=[np.array([[7.0]]), np.array([0.25])],
        network=settings.model_dump_json(
            include={"type", "mf_dim", "layers", "biases", "gmf_output"}
        ),
    )
    ids = {"user_ids": [b"bob", b"never trained", b"ann"], "item_ids": [b"z", b"x"]}
    warm_pairs.carry(base, network, **ids)
    # The new row is the mean of 1 and 3 plus the random start 0.5; the last is unknown.
    assert network.user_table.embeddings.numpy()[:, 0].tolist() == [3, 2.5, 1, 0.5]
    assert network.item_table.embeddings.numpy()[:, 0].tolist() == [15.5, 10, 0.5]
    assert network.scorer.output_kernel.numpy().tolist() == [[7.0]]
    assert network.scorer.output_bias.numpy().tolist() == [0.25]
    assert warm_pairs.differs(base, settings) == ""
    wider = settings.model_copy(update={"mf_dim": 2})
    assert "another shape" in warm_pairs.differs(base, wider)


@pytest.fixture(scope="module", name="first")
def _first(tmp_path_factory, records):
    root = tmp_path_factory.mktemp("first")
    night = Night(root, records, [b"ann", b"bob", b"eve"], ITEMS, PEOPLE)
    path, told = night.train(MODEL, **COLD)
    assert "there is no served model" in told["warm_start"]["cold_because"]
    return path


def test_through_a_training_rows_follow_ids_though_all_places_change(
    first, tmp_path, records
):
    people = {
        b"bob": ([b"i1", b"i0", b"i2"], [b"i4"], [b"i6"]),
        b"eve": ([b"i2", b"i0"], [b"i4"], [b"i1"]),
        b"zoe": ([b"i6", b"i0"], [b"i1"], [b"i2"]),
    }
    items = [b"i4", b"i6", b"i2", b"i0", b"i1"]  # i3 is gone, i6 is new
    night = Night(tmp_path, records, [b"zoe", b"eve", b"bob"], items, people)
    # With so small a learning rate the rows stay what the warm start made them.
    path, told = night.train(MODEL, base=first, **COLD | WARM)
    known = {name: told["warm_start"][f"{name}_items"] for name in ("known", "new")}
    assert known == {"known": 4, "new": 1}
    assert (len(told["epochs"]), told["warm_start"]["gone_users"]) == (1, 1)
    before, after = warm_pairs.read(first), warm_pairs.read(path)
    for rows, ids in (("users", "user_ids"), ("items", "item_ids")):
        old, new = (
            dict(zip(getattr(of, ids), getattr(of, rows), strict=True))
            for of in (before, after)
        )
        assert len(old.keys() & new.keys()) in (2, 4)
        for raw in old.keys() & new.keys():
            np.testing.assert_allclose(new[raw], old[raw], atol=1e-6)
    for old, new in zip(before.weights, after.weights, strict=True):
        np.testing.assert_allclose(new, old, atol=1e-6)


def test_a_cold_training_beside_it_is_that_of_a_cold_start(first, tmp_path, records):
    people = PEOPLE | {b"zoe": ([b"i3", b"i0"], [b"i1"], [b"i2"])}
    cold, warm = (
        Night(tmp_path / name, records, [*PEOPLE, b"zoe"], ITEMS, people)
        for name in ("cold", "warm")
    )
    _, alone = cold.train(MODEL, **COLD)
    path, told = warm.train(MODEL, base=first, **COLD | WARM, cold_beside=True)
    assert (len(told["epochs"]), len(told["cold"]["epochs"])) == (1, 3)
    for of in ("epoch", "loss", "hit_rate@10"):
        beside = [epoch[of] for epoch in told["cold"]["epochs"]]
        assert beside == [epoch[of] for epoch in alone["epochs"]]
    assert told["cold"]["best_epoch"] == alone["best_epoch"]
    assert told["warm_start"]["seconds"] > 0
    # The model that is exported comes from the warm start, not from the cold one.
    np.testing.assert_allclose(
        warm_pairs.read(path).items, warm_pairs.read(first).items, atol=1e-6
    )


def test_a_network_of_another_shape_begins_cold_and_says_so(first, tmp_path, records):
    night = Night(tmp_path, records, [b"ann", b"bob", b"eve"], ITEMS, PEOPLE)
    # A row of two factors and a bias is as wide as a row of three factors.
    as_wide = {**MODEL, "type": "gmf", "gmf_output": "ones"}
    biased, _ = night.train({**as_wide, "mf_dim": 2}, **COLD)
    others = {**as_wide, "mf_dim": 3, "biases": False}
    base = warm_pairs.read(biased)
    assert base.users.shape[1] == 3
    other = config.ModelConfig(history=None, **others)
    assert "another shape" in warm_pairs.differs(base, other)
    _, told = night.train({**MODEL, "mf_dim": 3}, base=first, **COLD)
    assert "another shape" in told["warm_start"]["cold_because"]
    assert len(told["epochs"]) == 3


def test_a_model_that_keeps_no_tables(tmp_path, records):
    night = Night(tmp_path, records, [b"ann", b"bob", b"eve"], ITEMS, PEOPLE)
    path, told = night.train(MODEL, **COLD | {"warm_start": None})
    assert told["warm_start"] is None
    with pytest.raises(ValueError, match=r"keeps what a warm start needs.*user_rows"):
        warm_pairs.read(path)


def test_negatives_written_before_must_be_enough():
    sampling = config.SamplingConfig(mode="materialised")
    pairs = config.ModelConfig(history=None)
    for epochs in (4, 3):
        train = config.TrainConfig(epochs=epochs, warm_start="latest_blessed")
        if epochs == 4:
            config.check_together(pairs, train, sampling)
            continue
        with pytest.raises(ValueError, match=r"`train.epochs`.*got 4 and 3"):
            config.check_together(pairs, train, sampling)
