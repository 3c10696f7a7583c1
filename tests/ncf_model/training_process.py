"""One process of a training under a strategy; strategy_training_test.py starts it.

Usage: python training_process.py STRATEGY LOGICAL_CPUS RESULT [PRECISION]

With TF_CONFIG it is one of several. The chief writes losses and weights to RESULT.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from ncf_model import model, strategy, training_loop
from ncf_model.config import ModelConfig, TrainConfig

NETWORK = ModelConfig(mf_dim=2, layers=(4, 3, 2), biases=True, mf_regularization=0.01)


def train(distribution, batch_size, precision):
    """Returns the losses of two epochs, and the weights after them."""
    keras.utils.set_random_seed(0)
    network = model.NeuMF(NETWORK, num_users=4, num_items=5)
    rng = np.random.default_rng(0)
    users = rng.integers(4, size=23, dtype=np.int32)
    items = rng.integers(5, size=(23, 3), dtype=np.int32)
    settings = TrainConfig(
        learning_rate=0.05, batch_size=batch_size, precision=precision
    )
    losses = []
    with distribution.scope():
        loop = training_loop.TrainingLoop(network, settings, num_negatives=2)
        for _ in range(2):
            *_, (_, loss) = loop.epoch(users, items, 0, name="epoch")
            loop.publish(horizon=0)
            losses.append(loss)
    return [np.array(losses), *network.get_weights()]


def main(name, devices, result, precision="float32"):
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * int(devices)
    tf.config.set_logical_device_configuration(cpu, logical)
    settings = TrainConfig(strategy=name)
    if strategy.is_server(settings):
        strategy.serve_forever()
    distribution = strategy.make_strategy(settings)
    # Uneven last steps, and uneven shares: 3 groups for two replicas.
    results = train(distribution, 9, precision) + train(distribution, 60, precision)
    if strategy.is_chief():
        replicas = np.array(distribution.num_replicas_in_sync)
        kind = np.array(type(distribution).__name__)
        np.savez(result, kind, replicas, *results)
    strategy.wait_for_all(distribution)


if __name__ == "__main__":
    main(*sys.argv[1:])
