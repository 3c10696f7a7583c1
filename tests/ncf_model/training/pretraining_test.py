"""The fused network's score is the weighted sum of its pretrained halves' scores."""

import keras
import numpy as np
import pytest

from ncf_model.config import ModelConfig
from ncf_model.network import model
from ncf_model.training import pretraining


@pytest.mark.parametrize("biases", [True, False])
@pytest.mark.parametrize("gmf_output", ["trained", "ones"])
def test_fused_logits(biases, gmf_output):
    settings = ModelConfig(
        mf_dim=3, layers=(4, 6, 2), biases=biases, gmf_output=gmf_output
    )
    network = model.NeuMF(settings, num_users=5, num_items=7)
    halves = {kind: pretraining.half(network, kind) for kind in ("gmf", "mlp")}
    for seed, half in enumerate(halves.values()):
        rng = np.random.default_rng(seed)
        half.set_weights([rng.normal(size=w.shape) for w in _floats(half)])
    pretraining.fuse(network, **halves, alpha=0.3)
    pairs = [np.arange(6, dtype=np.int32)[:, None], np.arange(8, dtype=np.int32)]
    logits = {kind: half(pairs) for kind, half in halves.items()}
    expected = 0.3 * np.array(logits["gmf"]) + 0.7 * np.array(logits["mlp"])
    np.testing.assert_allclose(network(pairs), expected, rtol=1e-4, atol=1e-5)


def _floats(network):
    weights = network.get_weights()
    assert all(weight.dtype == np.float32 for weight in weights)
    return weights


def test_halves_start_apart():
    """Each half is initialised with random numbers of its own."""
    keras.utils.set_random_seed(0)
    settings = ModelConfig(mf_dim=2, layers=(4, 2))
    network = model.NeuMF(settings, num_users=5, num_items=7)
    gmf, mlp = (pretraining.half(network, kind) for kind in ("gmf", "mlp"))
    tables = [half.user_table.embeddings.numpy() for half in (gmf, mlp)]
    assert tables[0].shape == tables[1].shape == (6, 2)
    assert (tables[0] != tables[1]).any()
