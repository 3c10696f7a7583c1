"""Trains in float32, then in bfloat16; matrix_products_test.py starts this process.

Each training has a process of its own, as oneDNN fixes its precision per process.
"""

import multiprocessing
import os

import keras
import numpy as np
import pytest

from ncf_model.config import ModelConfig, TrainConfig
from ncf_model.network import matrix_products, model
from ncf_model.training import training_loop

NETWORK = ModelConfig(mf_dim=16, layers=(256, 256, 128, 64))


def train(precision):
    """Returns each epoch's loss, and whether matrix products are rounded."""
    keras.utils.set_random_seed(0)
    network = model.NeuMF(NETWORK, num_users=300, num_items=200)
    settings = TrainConfig(batch_size=256, precision=precision)
    loop = training_loop.TrainingLoop(network, settings, num_negatives=4)
    rng = np.random.default_rng(0)
    users = rng.integers(300, size=2000, dtype=np.int32)
    # A user's positive item has about the user's number, which can be learned.
    items = rng.integers(200, size=(2000, 5), dtype=np.int32)
    items[:, 0] = (users + rng.integers(20, size=2000)) % 200
    losses = []
    for _ in range(6):
        *_, (_, loss) = loop.epoch(users, items, 0, name="epoch")
        losses.append(loss)
    if precision != "float32" and matrix_products.are_rounded():
        with pytest.raises(ValueError, match="in a process of its own"):
            train("float32")
    return losses, matrix_products.are_rounded()


def main():
    spawn = multiprocessing.get_context("spawn")
    results = []
    for precision in ("float32", "mixed_bfloat16"):
        with spawn.Pool(1) as pool:
            results.append(pool.apply(train, (precision,)))
    (exact, exactly), (losses, rounded) = results
    assert not exactly
    # The trainer makes oneDNN round wherever this environment variable can.
    os.environ["ONEDNN_DEFAULT_FPMATH_MODE"] = "BF16"
    with spawn.Pool(1) as pool:
        assert pool.apply(matrix_products.are_rounded) == rounded
    # On a processor without bfloat16 the variable has no effect.
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    with spawn.Pool(1) as pool:
        assert not pool.apply(matrix_products.are_rounded)
    assert exact != losses
    assert exact[-1] < 0.8 * exact[0]
    np.testing.assert_allclose(losses, exact, rtol=0.05)


if __name__ == "__main__":
    main()
