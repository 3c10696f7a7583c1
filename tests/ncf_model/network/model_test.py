"""NeuMF as a Keras model."""

import keras
import numpy as np
import pytest

from ncf_model.config import ModelConfig
from ncf_model.network import model

USERS, ITEMS = np.array([0, 2, 3], np.int32), np.array([4, 0, 1], np.int32)


def _network(**settings):
    keras.utils.set_random_seed(0)
    return model.NeuMF(ModelConfig(**settings), num_users=3, num_items=4)


def test_tables_have_a_row_for_the_unknown():
    network = _network(mf_dim=5, layers=(6, 4))
    assert network.user_table.embeddings.shape == (4, 5 + 3)
    assert network.item_table.embeddings.shape == (5, 5 + 3)


def test_scores_pairs_from_both_tables():
    network = _network(type="gmf", gmf_output="ones", mf_dim=2)
    users, items = np.arange(8.0).reshape(4, 2), np.arange(10.0).reshape(5, 2)
    network.user_table.embeddings.assign(users)
    network.item_table.embeddings.assign(items)
    # The logits are [0, 1] . [8, 9], [4, 5] . [0, 1] and [6, 7] . [2, 3].
    np.testing.assert_allclose(network([USERS, ITEMS]), [9.0, 5.0, 33.0])


def test_scores_every_item_of_a_user():
    network = _network()
    logits = network([USERS[:, np.newaxis], np.arange(5)[np.newaxis]])
    np.testing.assert_allclose(
        logits.numpy()[[0, 1, 2], ITEMS], network([USERS, ITEMS]), atol=1e-6
    )


@pytest.mark.parametrize("stddev", [None, 0.1])
def test_initial_embeddings(stddev):
    keras.utils.set_random_seed(0)
    settings = ModelConfig(embedding_stddev=stddev, biases=True)
    network = model.NeuMF(settings, num_users=999, num_items=4)
    rows = network.user_table.embeddings.numpy()
    assert (rows[:, -1] == 0).all()
    # Glorot: uniform within +-sqrt(6 / (1000 + 41)); dividing by sqrt(3) gives stddev.
    expected = stddev or (6 / 1041) ** 0.5 / 3**0.5
    assert rows[:, :-1].std() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    "settings",
    [{}, {"type": "gmf", "gmf_output": "ones"}, {"type": "mlp", "biases": True}],
)
def test_survives_saving(tmp_path, settings):
    network = _network(**settings)
    network.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.settings == network.settings
    np.testing.assert_array_equal(
        loaded([USERS, ITEMS]).numpy(), network([USERS, ITEMS]).numpy()
    )


def test_fit_sees_the_penalties():
    network = _network(mf_regularization=0.1, layers=(4, 2))
    network.compile(loss=keras.losses.BinaryCrossentropy(from_logits=True))
    rows = network.user_table.embeddings.numpy()[USERS, :8]
    items = network.item_table.embeddings.numpy()[ITEMS, :8]
    penalty = 0.1 * ((rows**2).sum() + (items**2).sum()) / 3
    network([USERS, ITEMS])
    np.testing.assert_allclose(sum(network.losses), penalty, rtol=1e-5)


@pytest.mark.parametrize("name", ["num_users", "num_items"])
def test_empty_vocabulary(name):
    sizes = {"num_users": 1, "num_items": 1} | {name: 0}
    with pytest.raises(ValueError, match=f"`{name}` must be >= 1; got 0"):
        model.NeuMF(ModelConfig(), **sizes)
