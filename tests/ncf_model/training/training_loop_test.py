"""The compiled loop, against Keras' own training of the same network."""

import pathlib
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model.config import ModelConfig, TrainConfig
from ncf_model.network import matrix_products, model
from ncf_model.training import training_loop

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
    """Returns users and groups of one positive and two negative items each."""
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
        loop.write_weights(decay_steps=0)
        losses.append(loss)
    return losses


def _keras_train(network, users, items, *, batch_size):
    """Returns Keras' loss without penalties on the same rows in the same order."""
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


# Steps of 3 to 30 rows update the small tables sparsely, densely, or one of each.
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
    """The batch repeats indices, whose gradients must be summed."""
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
    """Of four groups in steps of three the last has one. All logits are 0."""
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
    loop.write_weights(decay_steps=0)
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
        loop.write_weights(decay_steps=0)
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


@pytest.mark.parametrize("precision", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("batch_size", [6, 60])
def test_sixteen_bits_train_nearly_as_well(precision, batch_size, monkeypatch):
    # This is as on a GPU; matrix_products_test.py tests rounding on a CPU.
    monkeypatch.setattr(matrix_products, "round_to_bfloat16", lambda: None)
    users, items = _rows(23)
    networks, losses = [], []
    for chosen in ("float32", precision):
        networks.append(_network())
        losses.append(
            _train(
                networks[-1],
                users,
                items,
                epochs=20,
                batch_size=batch_size,
                learning_rate=0.01,
                precision=chosen,
            )
        )
    assert losses[0] != losses[1]
    np.testing.assert_allclose(losses[1], losses[0], rtol=0.05)
    assert {weight.dtype for weight in networks[1].get_weights()} == {np.dtype("f4")}


@pytest.mark.parametrize("batch_size", [6, 60])
def test_float16_skips_a_step_that_overflows(batch_size):
    """The first loss scale is far too large and must fall before a step is taken."""
    users, items = _rows(20)
    network = _network()
    loop = _loop(network, batch_size=batch_size, precision="mixed_float16")
    state = loop.state()
    state[-1] = np.array([2.0**40, 0.0], np.float32)
    loop.restore(state)
    before = network.get_weights()
    one_step = slice(0, loop.groups_per_step)
    for expected in (39, 38):
        *_, (_, loss) = loop.epoch(users[one_step], items[one_step], 0, name="epoch")
        loop.write_weights(decay_steps=0)
        assert np.isfinite(loss)
        assert loop.state()[-1].tolist() == [2.0**expected, 0.0]
    for weight, old in zip(network.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, old)
    for _ in range(40):
        list(loop.epoch(users, items, 0, name="epoch"))
    loop.write_weights(decay_steps=0)
    after = network.get_weights()
    assert any((w != o).any() for w, o in zip(after, before, strict=True))


def test_without_xla():
    users, items = _rows(23)
    networks = [_network(), _network()]
    losses = [
        _train(network, users, items, epochs=2, batch_size=6, jit_compile=jit_compile)
        for network, jit_compile in zip(networks, (True, False), strict=True)
    ]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)
    for weight, other in zip(*(n.get_weights() for n in networks), strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-4)


def test_goes_on_from_a_state():
    users, items = _rows(23)
    whole, parts = _network(dropout=0.3), _network(dropout=0.3)
    _train(whole, users, items, epochs=3, batch_size=6)
    loop = _loop(parts, batch_size=6)
    list(loop.epoch(users, items, 0, name="epoch"))
    loop.write_weights(decay_steps=0)
    later = _network(dropout=0.3)
    other = _loop(later, batch_size=6)
    other.restore(loop.state())
    for weight, expected in zip(later.get_weights(), parts.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)
    for _ in range(2):
        list(other.epoch(users, items, 0, name="epoch"))
        other.write_weights(decay_steps=0)
    for weight, expected in zip(later.get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, expected)


def test_every_shape_is_static():
    """For TPUs the block's program has just one signature, with all sizes known."""
    loop = _loop(_network(), batch_size=6)
    for groups in (23, 4, 23):
        users, items = _rows(groups)
        list(loop.epoch(users, items, 0, name="epoch"))
    concrete = loop._run_compiled._list_all_concrete_functions()
    assert len(concrete) == 1
    for operation in concrete[0].graph.get_operations():
        for output in operation.outputs:
            assert output.shape.is_fully_defined(), operation


def test_no_table_is_copied_in_a_step():
    """If a step copied a table, its cost would grow with the number of rows."""
    loop = _loop(_network(num_users=1001, num_items=1003), batch_size=6)
    users, items = _rows(loop.steps_per_block * loop.groups_per_step)
    block = (
        users.reshape(loop.steps_per_block, -1),
        items.reshape(loop.steps_per_block, -1, 3),
        len(users),
        0.0,
    )
    run = loop._run_compiled
    kinds = (tf.int32, tf.int32, tf.int32, tf.float32)
    args = [tf.constant(value, kind) for value, kind in zip(block, kinds, strict=True)]
    program = run.experimental_get_compiler_ir(*args)(stage="optimized_hlo")
    bodies = [part for part in program.split("\n\n") if "ENTRY" not in part]
    copies = [
        line.strip()[:80]
        for line in "\n".join(bodies).splitlines()
        if re.search(r"\[100[24]\b.*\bcopy\(", line)
    ]
    assert not copies


def test_counts_steps_beyond_what_float32_can():
    """A float32 counter would stop at 2**24, and Adam's learning rate with it."""
    users, items = _rows(2)
    loop = _loop(_network(num_users=9, num_items=50), batch_size=3)
    loop._variables.step.assign(2**24)
    list(loop.epoch(users, items, 0, name="epoch"))
    assert int(loop._variables.step.numpy()) == 2**24 + 2


@pytest.mark.parametrize(("beta2", "dense"), [(0.999, False), (0.82, True)])
def test_updates_every_row_where_rows_cannot_wait(beta2, dense):
    """A row with a gradient only in the first step moves in the second step too."""
    users, items = (
        np.array([1, 2], np.int32),
        np.array([[0, 3, 4], [5, 6, 7]], np.int32),
    )
    loop = _loop(_network(num_users=9, num_items=50), batch_size=3, beta2=beta2)
    list(loop.epoch(users, items, 0, name="epoch"))
    user, item = (loop._variables.user.rows, loop._variables.item.rows)
    assert (user.steps.numpy()[1] == 2) == dense
    assert (item.steps.numpy()[3] == 2) == dense
