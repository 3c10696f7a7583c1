"""The compiled loop, against Keras' own training of the same network."""

import os
import pathlib
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model import model, training_loop
from ncf_model.config import ModelConfig, TrainConfig

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = {
    "mf_dim": 2,
    "layers": (4, 3, 2),
    "biases": True,
    "mf_regularization": 0.01,
    "mlp_regularization": (0.02, 0.03, 0.04),
}


def _network(num_users=4, num_items=5, **settings):
    keras.utils.set_random_seed(0)
    settings = ModelConfig(**(SETTINGS | settings))
    return model.NeuMF(settings, num_users=num_users, num_items=num_items)


def _rows(groups, seed=0, num_users=4, num_items=5):
    """Groups of one positive and two negatives."""
    rng = np.random.default_rng(seed)
    users = rng.integers(num_users, size=groups, dtype=np.int32)
    return users, rng.integers(num_items, size=(groups, 3), dtype=np.int32)


def _loop(network, **train):
    settings = TrainConfig(**({"learning_rate": 0.05} | train))
    return training_loop.TrainingLoop(network, settings, num_negatives=2)


def _train(network, users, items, *, epochs=1, **train):
    """Returns the mean loss of each epoch."""
    loop = _loop(network, **train)
    losses = []
    for _ in range(epochs):
        *_, (_, loss) = loop.epoch(users, items, 0, name="epoch")
        loop.publish(horizon=0)
        losses.append(loss)
    return losses


def _keras_train(network, users, items, *, batch_size):
    """Returns Keras' loss, penalties apart, on the same rows in the same order."""
    inputs = [np.repeat(users, 3), items.ravel()]
    labels = np.tile([1.0, 0.0, 0.0], len(users))
    losses = []
    adam = keras.optimizers.Adam(0.05, beta_1=0.9, beta_2=0.999, epsilon=1e-8)
    entropy = keras.losses.BinaryCrossentropy(from_logits=True)
    for start in range(0, len(labels), batch_size):
        batch = [values[start : start + batch_size] for values in inputs]
        with tf.GradientTape() as tape:
            logits = network(batch, training=True)
            loss = entropy(labels[start : start + batch_size], logits)
            total = loss + sum(network.losses)
        adam.apply_gradients(
            (tf.convert_to_tensor(gradient), variable)
            for gradient, variable in zip(
                tape.gradient(total, network.trainable_variables),
                network.trainable_variables,
                strict=True,
            )
        )
        losses.append(float(loss) * len(logits))
    return sum(losses) / len(labels)


# Rows per step 6 to 30 against tables of 5 and 6: sparse, mixed and dense use.
@pytest.mark.parametrize(
    ("kind", "groups_per_step"),
    [("neumf", 1), ("neumf", 4), ("neumf", 10), ("gmf", 4), ("mlp", 4)],
)
def test_trains_as_keras_does(groups_per_step, kind):
    users, items = _rows(23)
    ours, theirs = _network(type=kind), _network(type=kind)
    batch_size = 3 * groups_per_step
    (loss,) = _train(ours, users, items, batch_size=batch_size)
    expected = _keras_train(theirs, users, items, batch_size=batch_size)
    assert loss == pytest.approx(expected, rel=2e-3)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=0.02)


def test_one_step_is_exactly_adams():
    """With equal indices in the batch, whose gradients must be summed."""
    users = np.array([1, 1, 2], np.int32)
    items = np.array([[0, 3, 3], [0, 1, 2], [3, 3, 3]], np.int32)
    ours, theirs = _network(num_items=50), _network(num_items=50)
    _train(ours, users, items, batch_size=9)
    _keras_train(theirs, users, items, batch_size=9)
    for weight, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=2e-6)


def test_untouched_rows_keep_their_values():
    network = _network(num_users=9, num_items=50)
    before = network.get_weights()
    users, items = np.array([2], np.int32), np.array([[7, 8, 7]], np.int32)
    _train(network, users, items, batch_size=3)
    changed = [
        np.flatnonzero((weight != old).any(axis=1)).tolist()
        for weight, old in zip(network.get_weights(), before, strict=True)
        if weight.shape[0] in (10, 51)
    ]
    assert changed == [[2], [7, 8]]


def test_loss_is_the_mean_over_the_rows_there_are():
    """Four groups in steps of three: the last step has one. All logits are 0."""
    network = _network()
    network.set_weights([np.zeros_like(weight) for weight in network.get_weights()])
    users, items = _rows(4)
    (loss,) = _train(network, users, items, batch_size=9, learning_rate=1e-12)
    assert loss == pytest.approx(np.log(2), rel=1e-6)


def test_blocks_do_not_change_the_result(monkeypatch):
    users, items = _rows(23)
    whole, parts = _network(), _network()
    _train(whole, users, items, batch_size=6)
    monkeypatch.setattr(training_loop, "_BLOCK_ROWS", 30)
    loop = _loop(parts, batch_size=6)
    assert loop.steps_per_block == 5
    done = [groups for groups, _ in loop.epoch(users, items, 0, name="epoch")]
    loop.publish(horizon=0)
    assert done == [10, 20, 23]
    for weight, other in zip(whole.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-6)


@pytest.mark.parametrize(("batch_size", "groups"), [(1, 1), (3, 1), (8, 2), (99, 33)])
def test_batches_are_whole_groups(batch_size, groups):
    assert _loop(_network(), batch_size=batch_size).groups_per_step == groups


def test_a_batch_larger_than_the_data():
    users, items = _rows(5)
    losses = _train(_network(), users, items, epochs=60, batch_size=10_000)
    assert losses[-1] < losses[0]


def test_reset_starts_over():
    network = _network(dropout=0.5)
    start = network.get_weights()
    users, items = _rows(23)
    loop = _loop(network, batch_size=6)
    runs = []
    for _ in range(2):
        list(loop.epoch(users, items, 0, name="epoch"))
        loop.publish(horizon=0)
        runs.append(network.get_weights())
        network.set_weights(start)
        loop.reset()
    for first, second in zip(*runs, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_loss_that_is_not_finite_names_its_step():
    network = _network()
    users, items = _rows(12)
    users[7:] = 3
    users[:7] %= 3
    rows = network.user_table.embeddings.numpy()
    rows[3] = np.nan
    network.user_table.embeddings.assign(rows)
    message = (
        "in step 4 of train epoch 2 it is nan. Try a smaller `train.learning_rate`"
    )
    with pytest.raises(ValueError, match=message):
        # Groups 6 and 7 are in the fourth step.
        list(_loop(network, batch_size=6).epoch(users, items, 0, name="train epoch 2"))


_TWO_REPLICAS = """
import numpy as np, tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
two = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, two)
from ncf_model import strategy
import training_loop_test as case

for batch_size in (9, 60):
    users, items = case._rows(23)
    runs = []
    for name in ("one_device", "mirrored"):
        chosen = strategy.make_strategy(name)
        with chosen.scope():
            network = case._network()
            losses = case._train(
                network, users, items, epochs=2, batch_size=batch_size
            )
        runs.append((losses, network.get_weights()))
    assert chosen.num_replicas_in_sync == 2
    (losses, weights), (other_losses, other_weights) = runs
    np.testing.assert_allclose(losses, other_losses, rtol=1e-5)
    for weight, other in zip(weights, other_weights):
        np.testing.assert_allclose(weight, other, atol=1e-5)
print("equal")
"""


def test_two_replicas_train_as_one():
    """Shares of 2 and 1, and of 10 and 10 groups; uneven last steps included.

    In a process of its own: logical devices can only be set before TensorFlow starts.
    """
    done = subprocess.run(
        [sys.executable, "-c", _TWO_REPLICAS],
        cwd=ROOT,
        env={"PYTHONPATH": f"{ROOT}{os.pathsep}{pathlib.Path(__file__).parent}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.endswith("equal\n"), done.stderr
