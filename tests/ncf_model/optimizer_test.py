"""Adam, against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model import optimizer

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


def _step(adam, packed, gradient, step):
    return adam.update_rows(packed, tf.constant(gradient), float(step), CONSTANT)


def test_is_adam_where_every_step_has_a_gradient():
    rng = np.random.default_rng(0)
    start = rng.normal(size=(3, 2)).astype("f")
    gradients = rng.normal(size=(7, 3, 2)).astype("f")
    adam = optimizer.Adam(**SETTINGS)
    packed = tf.constant(adam.pack(start))
    for step, expected in enumerate(_keras_adam(start, gradients), 1):
        packed = _step(adam, packed, gradients[step - 1], step)
        np.testing.assert_allclose(adam.values(packed), expected, atol=2e-6)


@pytest.mark.parametrize("missed", [1, 5, 60])
def test_catches_up_with_dense_adam(missed):
    rng = np.random.default_rng(0)
    before, again = 40, 2
    start = np.zeros((3, 2), "f")
    gradients = rng.normal(size=(before + missed + again, 3, 2)).astype("f")
    gradients[before : before + missed] = 0
    expected = _keras_adam(start, gradients)

    adam = optimizer.Adam(**SETTINGS)
    packed = tf.constant(adam.pack(start))
    for step in range(1, before + 1):
        packed = _step(adam, packed, gradients[step - 1], step)
    packed = adam.catch_up(packed, float(before + missed), CONSTANT)
    moved = np.abs(expected[before + missed - 1] - expected[before - 1]).max()
    assert moved > 0.01
    np.testing.assert_allclose(
        adam.values(packed), expected[before + missed - 1], atol=0.01 * moved
    )
    for step in range(before + missed + 1, before + missed + again + 1):
        packed = _step(adam, packed, gradients[step - 1], step)
    np.testing.assert_allclose(adam.values(packed), expected[-1], atol=0.01 * moved)


def test_nothing_missed_changes_nothing():
    packed = tf.constant(
        [[1.0, 2.0, 3.0, 4.0, 0.1, 0.0], [5.0, 6.0, 7.0, 4.0, 0.1, 0.0]]
    )
    same = optimizer.Adam(**SETTINGS).catch_up(packed, 4.0, CONSTANT)
    np.testing.assert_allclose(same[:, :4], packed[:, :4], rtol=1e-6)


def test_an_untouched_row_stays():
    packed = tf.constant([[1.0, 0.0, 0.0, 0.0, 0.0, 0.0]])
    same = optimizer.Adam(**SETTINGS).catch_up(packed, 1000.0, CONSTANT)
    np.testing.assert_array_equal(same[:, :4], [[1.0, 0.0, 0.0, 1000.0]])


def test_cosine_falls_to_zero():
    # beta1 = 0 and 1 - beta2**step = 0.5 in the first step: a correction of sqrt(0.5).
    adam = optimizer.Adam(learning_rate=2.0, beta1=0.0, beta2=0.5, epsilon=1e-8)
    steps = tf.constant([1.0, 3.0, 5.0, 9.0])
    corrections = np.sqrt(1 - 0.5 ** np.array([1, 3, 5, 9]))
    rates = adam.rate(steps, tf.constant(4.0)) / corrections
    # cos(0), cos(pi / 2), cos(pi), and no rise after that.
    np.testing.assert_allclose(rates, [2.0, 1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(adam.rate(steps, CONSTANT) / corrections, 2.0)
