"""Adam, against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model.training import optimizer

SETTINGS = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}
CONSTANT = tf.constant(0.0)


def _keras_adam(start, gradients):
    """Returns what dense Adam makes of `start`, step by step."""
    variable = keras.Variable(start)
    adam = keras.optimizers.Adam(0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-8)
    steps = []
    for gradient in gradients:
        adam.apply([tf.constant(gradient)], [variable])
        steps.append(variable.numpy().copy())
    return steps


def _step(adam, rows, gradient, step):
    return adam.update_rows(rows, tf.constant(gradient), float(step), CONSTANT)


def _row(value, first, second, *clock):
    fields = ([value], [first], [second], clock)
    return optimizer.Rows(*(tf.constant([field]) for field in fields))


def test_is_adam_where_every_step_has_a_gradient():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2)).astype("f")
    gradients = rng.normal(size=(7, 3, 2)).astype("f")
    adam = optimizer.Adam(**SETTINGS)
    rows = adam.start(start)
    for step, expected in enumerate(_keras_adam(start, gradients), 1):
        rows = _step(adam, rows, gradients[step - 1], step)
        np.testing.assert_allclose(rows.values, expected, atol=2e-6)


@pytest.mark.parametrize("missed", [1, 5, 60])
def test_catches_up_with_dense_adam(missed):
    rng = np.random.default_rng(0)
    before, again = 40, 2
    start = np.zeros((3, 2), "f")
    gradients = rng.normal(size=(before + missed + again, 3, 2)).astype("f")
    gradients[before : before + missed] = 0
    expected = _keras_adam(start, gradients)

    adam = optimizer.Adam(**SETTINGS)
    rows = adam.start(start)
    for step in range(1, before + 1):
        rows = _step(adam, rows, gradients[step - 1], step)
    rows = adam.catch_up(rows, float(before + missed), CONSTANT)
    moved = np.abs(expected[before + missed - 1] - expected[before - 1]).max()
    assert moved > 0.01
    np.testing.assert_allclose(
        rows.values, expected[before + missed - 1], atol=0.01 * moved
    )
    for step in range(before + missed + 1, before + missed + again + 1):
        rows = _step(adam, rows, gradients[step - 1], step)
    np.testing.assert_allclose(rows.values, expected[-1], atol=0.01 * moved)


def test_nothing_missed_changes_nothing():
    rows = _row(1.0, 2.0, 3.0, 4.0, 0.1, 0.0)
    same = optimizer.Adam(**SETTINGS).catch_up(rows, 4.0, CONSTANT)
    for after, before in zip(same[:3], rows[:3], strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)
    assert same.clock[0, 0] == 4.0


def test_an_untouched_row_stays():
    adam = optimizer.Adam(**SETTINGS)
    same = adam.catch_up(adam.start(np.ones((1, 1), "f")), 1000.0, CONSTANT)
    assert [float(field[0, 0]) for field in same] == [1.0, 0.0, 0.0, 1000.0]


def test_starts_from_a_copy():
    values = np.ones((1, 1), "f")
    assert not np.shares_memory(optimizer.Adam(**SETTINGS).start(values).values, values)


def test_cosine_falls_to_zero():
    # beta1 = 0 and 1 - beta2**step = 0.5 in the first step: a correction of sqrt(0.5).
    adam = optimizer.Adam(learning_rate=2.0, beta1=0.0, beta2=0.5, epsilon=1e-8)
    steps = tf.constant([1.0, 3.0, 5.0, 9.0])
    corrections = np.sqrt(1 - 0.5 ** np.array([1, 3, 5, 9]))
    rates = adam.rate(steps, tf.constant(4.0)) / corrections
    # cos(0), cos(pi / 2), cos(pi), and no rise after that.
    np.testing.assert_allclose(rates, [2.0, 1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(adam.rate(steps, CONSTANT) / corrections, 2.0)
