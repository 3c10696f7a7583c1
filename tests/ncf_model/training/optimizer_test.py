"""Adam, against Keras' own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model.training import optimizer

SETTINGS = {"learning_rate": 0.1, "beta1": 0.9, "beta2": 0.99, "epsilon": 1e-8}
CONSTANT = tf.constant(0.0)


def _keras_adam(start, gradients):
    """Returns the values of `start` after each step of Keras' dense Adam."""
    variable = keras.Variable(start)
    adam = keras.optimizers.Adam(0.1, beta_1=0.9, beta_2=0.99, epsilon=1e-8)
    steps = []
    for gradient in gradients:
        adam.apply([tf.constant(gradient)], [variable])
        steps.append(variable.numpy().copy())
    return steps


def _step(adam, rows, gradient, step):
    return adam.update_rows(rows, tf.constant(gradient), np.int64(step), CONSTANT)


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
    rows = adam.catch_up(rows, np.int64(before + missed), CONSTANT)
    moved = np.abs(expected[before + missed - 1] - expected[before - 1]).max()
    assert moved > 0.01
    np.testing.assert_allclose(
        rows.values, expected[before + missed - 1], atol=0.01 * moved
    )
    for step in range(before + missed + 1, before + missed + again + 1):
        rows = _step(adam, rows, gradients[step - 1], step)
    np.testing.assert_allclose(rows.values, expected[-1], atol=0.01 * moved)


def test_nothing_missed_changes_nothing():
    rows = _row(1.0, 2.0, 3.0, 0.0, 4.0, 0.1, 0.0)
    same = optimizer.Adam(**SETTINGS).catch_up(rows, np.int64(4), CONSTANT)
    for after, before in zip(same[:3], rows[:3], strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)
    assert same.steps.numpy().tolist() == [4]


def test_an_untouched_row_stays():
    adam = optimizer.Adam(**SETTINGS)
    same = adam.catch_up(adam.start(np.ones((1, 1), "f")), np.int64(1000), CONSTANT)
    assert [float(field[0, 0]) for field in same[:3]] == [1.0, 0.0, 0.0]
    assert same.steps.numpy().tolist() == [1000]


def test_starts_from_a_copy():
    values = np.ones((1, 1), "f")
    assert not np.shares_memory(optimizer.Adam(**SETTINGS).start(values).values, values)


def test_cosine_falls_to_zero():
    # With beta1 = 0, Adam's bias correction of a step's rate is sqrt(1 - beta2**step).
    adam = optimizer.Adam(learning_rate=2.0, beta1=0.0, beta2=0.5, epsilon=1e-8)
    steps = tf.constant([1.0, 3.0, 5.0, 9.0])
    corrections = np.sqrt(1 - 0.5 ** np.array([1, 3, 5, 9]))
    rates = adam.rate(steps, tf.constant(4.0)) / corrections
    # The cosines are of 0, pi / 2 and pi; the rate does not rise after that.
    np.testing.assert_allclose(rates, [2.0, 1.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose(adam.rate(steps, CONSTANT) / corrections, 2.0)


@pytest.mark.parametrize(
    "step", [1, 2**20 - 1, 2**20, 2**24 - 1, 2**24, 2**24 + 1, 2**40]
)
def test_a_rows_clock_is_exact(step):
    """A row's step count must not be float32, which cannot count beyond 2**24."""
    adam = optimizer.Adam(**SETTINGS)
    rows = adam.catch_up(adam.start(np.ones((2, 1), "f")), np.int64(step - 1), CONSTANT)
    rows = _step(adam, rows, np.ones((2, 1), "f"), step)
    assert rows.steps.numpy().tolist() == [step, step]
    later = adam.catch_up(rows, np.int64(step + 1), CONSTANT)
    # In a step without a gradient the moments only decay.
    np.testing.assert_allclose(later.first, 0.9 * rows.first, rtol=1e-6)
    np.testing.assert_allclose(later.second, 0.99 * rows.second, rtol=1e-6)


@pytest.mark.parametrize(
    ("beta1", "beta2", "waits"),
    [
        (0.9, 0.999, True),
        (0.783529, 0.909003, True),  # as in MLPerf
        (0.9, 0.9, True),
        (0.96, 0.9999, False),  # beta1 / sqrt(beta2) is .96005
        (0.9, 0.82, False),
        (0.5, 0.3, False),
    ],
)
def test_for_which_settings_rows_may_wait(beta1, beta2, waits):
    adam = optimizer.Adam(learning_rate=0.1, beta1=beta1, beta2=beta2, epsilon=1e-8)
    assert adam.rows_can_wait == waits


def _error_after_waiting(beta1, beta2, epsilon=1e-8):
    """Returns a row's relative error against dense Adam after 400 missed steps."""
    adam = optimizer.Adam(learning_rate=0.1, beta1=beta1, beta2=beta2, epsilon=epsilon)
    rng = np.random.default_rng(0)
    value, first, second = np.zeros((3, 64))
    for step in range(1, 601):
        gradient = (rng.normal(size=64) + 0.5) * (step <= 200)
        first = beta1 * first + (1 - beta1) * gradient
        second = beta2 * second + (1 - beta2) * gradient**2
        scale = np.sqrt(1 - beta2**step) / (1 - beta1**step)
        value = value - 0.1 * scale * first / (np.sqrt(second) + epsilon)
        if step == 200:
            clock = adam._clock(tf.zeros([1, 4]), np.int64(200), CONSTANT)
            fields = [tf.constant(x, tf.float32)[None] for x in (value, first, second)]
            rows, before = optimizer.Rows(*fields, clock), value
    ours = adam.catch_up(rows, np.int64(600), CONSTANT).values.numpy()[0]
    return np.abs(ours - value).max() / np.abs(value - before).max()


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.783529, 0.909003), (0.9, 0.9)])
def test_a_row_that_may_wait_is_dense_adams(betas):
    assert _error_after_waiting(*betas) < 0.002


@pytest.mark.parametrize("betas", [(0.9, 0.82), (0.5, 0.3)])
def test_a_row_that_may_not_would_be_another(betas):
    assert _error_after_waiting(*betas) > 0.05


def test_a_row_may_wait_for_long():
    """Both moments decay to 0, and their quotient must not become NaN."""
    rows = _row(1.0, 2.0, 3.0, 0.0, 4.0, 0.1, 0.0)
    after = optimizer.Adam(**SETTINGS).catch_up(rows, np.int64(10**6), CONSTANT)
    assert [float(field[0, 0]) for field in after[1:3]] == [0.0, 0.0]
    # The drift is .1 * 2 / sqrt(3) times the sum of (.9 / sqrt(.99))**n for n >= 1.
    ratio = 0.9 / 0.99**0.5
    drift = 0.2 / 3**0.5 * ratio / (1 - ratio)
    np.testing.assert_allclose(after.values, [[1 - drift]], rtol=1e-5)
