"""Dropout by hashing."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from ncf_model.network import dropout


def _drop(rate=0.25, *, seed=0, calls=1, shape=(400, 50)):
    keras.utils.set_random_seed(seed)
    layer = dropout.HashedDropout(rate)
    outputs = [layer(tf.ones(shape), training=True).numpy() for _ in range(calls)]
    return outputs if calls > 1 else outputs[0]


def test_hash_is_lowbias32():
    # Worked out with Python's integers, step by step, from the published constants.
    def expected(x):
        x ^= x >> 16
        x = x * 0x7FEB352D % 2**32
        x ^= x >> 15
        x = x * 0x846CA68B % 2**32
        return x ^ x >> 16

    values = [0, 1, 2, 0xDEADBEEF, 2**32 - 1]
    hashes = dropout.hashed(tf.constant(values, tf.uint32)).numpy().tolist()
    assert hashes == [expected(value) for value in values]


def test_keeps_three_quarters_and_scales_them_up():
    output = _drop(0.25)
    assert set(np.unique(output)) == {0, np.float32(4 / 3)}
    # 20,000 draws: one standard error is 0.003.
    assert (output == 0).mean() == pytest.approx(0.25, abs=0.012)


def test_neighbours_and_calls_are_independent():
    first, second = _drop(calls=2)
    for one, other in (
        (first, second),
        (first[1:], first[:-1]),
        (first[:, 1:], first[:, :-1]),
    ):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.03


def test_the_seed_decides():
    np.testing.assert_array_equal(_drop(seed=1), _drop(seed=1))
    assert (_drop(seed=1) != _drop(seed=2)).any()


def test_does_nothing_when_serving_or_at_rate_zero():
    ones = tf.ones((3, 4))
    assert dropout.HashedDropout(0.5)(ones) is ones
    assert dropout.HashedDropout(0.0)(ones, training=True) is ones


def test_compiled_and_not_are_equal():
    keras.utils.set_random_seed(0)
    layer = dropout.HashedDropout(0.5)
    start = layer.seed_generator.state.numpy()
    plain = layer(tf.ones((9, 9)), training=True)
    layer.seed_generator.state.assign(start)
    compiled = tf.function(lambda x: layer(x, training=True), jit_compile=True)
    np.testing.assert_array_equal(compiled(tf.ones((9, 9))), plain)
