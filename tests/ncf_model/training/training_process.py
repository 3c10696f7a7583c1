"""One process of a distributed training; strategy_training_test.py starts this file.

Usage: python training_process.py STRATEGY LOGICAL_CPUS RESULT

With TF_CONFIG it is one process of several. The chief writes losses and weights to
RESULT.
"""

import sys

import keras
import numpy as np
import tensorflow as tf

from ncf_model.config import ModelConfig, TrainConfig
from ncf_model.network import model
from ncf_model.training import strategy, training_loop

NETWORK = ModelConfig(mf_dim=2, layers=(4, 3, 2), biases=True, mf_regularization=0.01)


def train(distribution, num_users, num_items, batch_size):
    """Returns the losses of two epochs, and the weights after them."""
    keras.utils.set_random_seed(0)
    network = model.NeuMF(NETWORK, num_users=num_users, num_items=num_items)
    rng = np.random.default_rng(0)
    users = rng.integers(num_users, size=23, dtype=np.int32)
    items = rng.integers(num_items, size=(23, 3), dtype=np.int32)
    # With a small epsilon, rounding a gradient near 0 could change a whole step.
    settings = TrainConfig(learning_rate=0.05, epsilon=0.01, batch_size=batch_size)
    losses = []
    with distribution.scope():
        loop = training_loop.TrainingLoop(network, settings, num_negatives=2)
    for _ in range(2):
        *_, (_, loss) = loop.epoch(users, items, 0, name="epoch")
        loop.write_weights(decay_steps=0)
        losses.append(loss)
    return [np.array(losses), *network.get_weights()]


def main(name, devices, result):
    cpu = tf.config.list_physical_devices("CPU")[0]
    logical = [tf.config.LogicalDeviceConfiguration()] * int(devices)
    tf.config.set_logical_device_configuration(cpu, logical)
    settings = TrainConfig(strategy=name)
    if strategy.is_server(settings):
        strategy.serve_forever()
    distribution = strategy.make_strategy(settings)
    # Last steps are smaller, and two replicas share 3 groups unevenly. Tables are
    # updated sparsely, densely, and one in each way.
    cases = [(40, 90, 9), (4, 5, 60), (4, 5, 9)]
    results = [value for case in cases for value in train(distribution, *case)]
    if strategy.is_chief():
        replicas = np.array(distribution.num_replicas_in_sync)
        kind = np.array(type(distribution).__name__)
        np.savez(result, kind, replicas, *results)
    strategy.wait_for_all(distribution)


if __name__ == "__main__":
    main(*sys.argv[1:])
