"""Dropout whose random numbers cost little to compute."""

from typing import Any

import keras
import tensorflow as tf

# "lowbias32" of Wellons' hash prospector (2018): shifts and odd multipliers.
_ROUNDS = ((16, 0x7FEB352D), (15, 0x846CA68B))
_LAST_SHIFT = 16


@keras.saving.register_keras_serializable(package="ncf_model")
class HashedDropout(keras.layers.Layer):
    """Sets a fraction of its inputs to 0 while training, and scales the rest up.

    It does what `keras.layers.Dropout` does, but an integer hash of an input's position
    and of a seed decides whether that input is dropped. TensorFlow's own random
    generators, compiled by XLA for a CPU, take longer than the rest of a training step:
    ten times as long on TensorFlow 2.21.

    Shapes:
        inputs: [rows, width] float
        output: of the input's shape and type

    Args:
        rate: fraction to drop, in [0, 1).
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = rate
        # The generator's state is a weight of the layer; `set_random_seed` seeds it.
        self.seed_generator = keras.random.SeedGenerator()
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        if not training or not self.rate:
            return inputs
        first, second = tf.unstack(tf.cast(self.seed_generator.next(), tf.uint32))
        seed = hashed(tf.bitwise.bitwise_xor(first, hashed(second)))
        position = tf.cast(tf.range(tf.size(inputs)), tf.uint32)
        bits = hashed(tf.bitwise.bitwise_xor(position, seed))
        kept = bits >= tf.constant(int(self.rate * 2**32), tf.uint32)
        kept = tf.reshape(kept, tf.shape(inputs))
        return tf.where(kept, inputs / (1.0 - self.rate), tf.zeros_like(inputs))

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"rate": self.rate}


def hashed(value: tf.Tensor) -> tf.Tensor:
    """Returns a one-to-one scrambling of unsigned 32-bit integers."""
    for shift, factor in _ROUNDS:
        value = _folded(value, shift) * tf.constant(factor, tf.uint32)
    return _folded(value, _LAST_SHIFT)


def _folded(value: tf.Tensor, shift: int) -> tf.Tensor:
    shifted = tf.bitwise.right_shift(value, tf.constant(shift, tf.uint32))
    return tf.bitwise.bitwise_xor(value, shifted)
