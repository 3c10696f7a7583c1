"""The probe: scores that an export must reproduce with TensorFlow alone."""

import os
import shutil
import types

import numpy as np
import pytest

from components.export_check import check
from ncf_model.config import ModelConfig
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.serving import probe

USERS = [b"ann", b"bob", b"\xc3\xa9ve", b"007", b"\xff"]
ITEMS = [f"i{i}".encode() for i in range(7)]


def _logits(users, items):
    return (users - items).astype(float)


def test_the_probe_has_known_and_unknown_ids():
    made = probe.make(
        _logits, user_ids=[b"u", b"unknown user"], item_ids=[b"i"], tolerance=0.5
    )
    # All pairs of two known users and an unknown one with a known and an unknown item.
    assert made["user_ids"] == ["u", "u", *["unknown user"] * 2, *["unknown user?"] * 2]
    assert made["item_ids"] == ["i", "unknown item"] * 3
    expected = [0.5, 0.26894, 0.73106, 0.5, 0.8808, 0.73106]
    assert made["scores"] == pytest.approx(expected, abs=1e-5)
    assert made["unknown"] == "unknown user?"
    assert made["tolerance"] == 0.5


def test_the_probe_of_many_is_small():
    ids = [str(i).encode() for i in range(1000)]
    made = probe.make(_logits, user_ids=ids, item_ids=ids[:500], tolerance=0.1)
    assert len(made["scores"]) == 64
    assert made["user_ids"][0] == "0"
    assert made["user_ids"][-1] == "unknown user"


def test_the_linear_part_counts_what_it_knows_of_a_history():
    trained = types.SimpleNamespace(
        linear=np.array([[0.0, 1.0], [2.0, 0.0]]),
        # User 0 has items 0, 1 and 5; user 1 has none; user 2 is unknown.
        histories=Ragged(np.array([0, 1, 5]), np.array([0, 3, 3])),
        settings=types.SimpleNamespace(recency=0.0),
    )
    users, items = np.array([0, 0, 0, 1, 2]), np.array([0, 1, 2, 0, 0])
    assert probe.linear(trained, users, items).tolist() == [2, 1, 0, 0, 0]
    # The items' weights are 1/3, 1/2 and 1, scaled to mean 1.
    trained.settings.recency = 1.0
    faded = probe.linear(trained, users, items)
    np.testing.assert_allclose(faded, [18 / 11, 6 / 11, 0, 0, 0], rtol=1e-6)
    trained.linear = None
    assert probe.linear(trained, users, items).tolist() == [0] * 5


def test_a_real_export_alone_and_one_with_a_file_cut_off(tiny):
    settings = ModelConfig(type="neumf", mf_dim=3, layers=(6, 4))
    network = model.NeuMF(settings, num_users=5, num_items=7)
    folder = tiny.export(network)

    def logits(users, items):
        return network([users, items])

    expected = probe.make(logits, user_ids=USERS, item_ids=ITEMS, tolerance=1e-3)
    answer = check.ask(folder, expected)
    # The exported vocabulary has "only one" where `USERS` has an id that is no text.
    strange = [row for row in expected["user_ids"] if row == "\udcff"]
    assert len(strange) == 8
    with pytest.raises(ValueError, match="scores are others"):
        check.require(answer, expected)
    good = probe.make(
        logits, user_ids=[*USERS[:4], b"only one"], item_ids=ITEMS, tolerance=1e-3
    )
    check.require({**answer, "scores": check.ask(folder, good)["scores"]}, good)
    assert answer["seconds"]["recommend"] > 0

    # Of TensorFlow's several lines the message has the one that names the fault.
    os.rename(f"{folder}/assets/item_id", f"{folder}/away")
    with pytest.raises(ValueError, match=r"Error: .*assets/item_id.+ It was not"):
        check.ask(folder, expected)

    shutil.rmtree(f"{folder}/variables")
    with pytest.raises(ValueError, match=r"cannot be asked by TensorFlow alone: .+ It"):
        check.ask(folder, expected)
