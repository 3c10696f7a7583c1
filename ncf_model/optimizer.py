"""Adam, dense for the network and row by row for the tables.

Dense Adam (Kingma and Ba, 2015) moves every row of a table in every step: a row
without a gradient still follows its fading momentum. Its cost thus grows with the
catalogue. The usual lazy Adam leaves such rows alone, which is a different and
weaker method: a rare row learns several times less from each of its gradients.

Here a row is left alone while nobody asks for it, and catches up when it is next used:
the steps that it missed have zero gradients, so their sum is a geometric series. The
result is dense Adam's, but for two roundings: learning rate and bias correction are
those of the missed steps' centre of gravity, and epsilon is added to the first missed
step's root. Momentum fades within tens of steps, so both hardly matter.
"""

from typing import Any

import tensorflow as tf


class Adam:
    """The update rule, free of variables: tensors in, tensors out.

    A packed row is [value | first moment | second moment], three fields of one width,
    so that a step reads and writes each row once.

    Steps count from 1; `step` arguments are int32.
    """

    def __init__(
        self, *, learning_rate: float, beta1: float, beta2: float, epsilon: float
    ) -> None:
        self._learning_rate = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon

    def rate(self, step: tf.Tensor, horizon: tf.Tensor) -> tf.Tensor:
        """Returns the step size with Adam's bias correction.

        Args:
            step: int32 or float32, of any shape, 1 or more.
            horizon: float scalar, the steps after which a cosine reaches 0; 0 keeps
                the learning rate constant.
        """
        done = tf.cast(step, tf.float32)
        part = tf.clip_by_value((done - 1.0) / tf.maximum(horizon, 1.0), 0.0, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(part * 3.14159265))
        scale = tf.where(horizon > 0.0, cosine, tf.ones_like(cosine))
        correction = tf.sqrt(1.0 - self._beta2**done) / (1.0 - self._beta1**done)
        return self._learning_rate * scale * correction

    def update(
        self, value: Any, first: Any, second: Any, gradient: Any, rate: Any
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns value and moments after one step; all of one shape."""
        first = self._beta1 * first + (1.0 - self._beta1) * gradient
        second = self._beta2 * second + (1.0 - self._beta2) * tf.square(gradient)
        value = value - rate * first / (tf.sqrt(second) + self._epsilon)
        return value, first, second

    def update_rows(
        self, rows: tf.Tensor, gradient: tf.Tensor, rate: tf.Tensor
    ) -> tf.Tensor:
        """Returns packed rows [n, 3 * width] after a step of `gradient` [n, width]."""
        value, first, second = tf.split(rows, 3, axis=1)
        return tf.concat(self.update(value, first, second, gradient, rate), axis=1)

    def catch_up(
        self, rows: tf.Tensor, last: tf.Tensor, now: tf.Tensor, horizon: tf.Tensor
    ) -> tf.Tensor:
        """Returns packed rows as dense Adam would have left them after step `now`.

        Args:
            rows: [n, 3 * width] float32.
            last: [n] int32, the step after which each row stands; 0 if untouched.
            now: int32 scalar, `last` or later.
            horizon: as in `rate`.
        """
        value, first, second = tf.split(rows, 3, axis=1)
        missed = tf.cast(now - last, tf.float32)[:, tf.newaxis]
        # Step number i of those missed is as long as the first times ratio ** (i - 1).
        ratio = self._beta1 / self._beta2**0.5
        rest = ratio**missed
        length = (1.0 - rest) / (1.0 - ratio)
        centre = 1.0 / (1.0 - ratio) - tf.math.divide_no_nan(missed * rest, 1.0 - rest)
        rate = self.rate(tf.cast(last, tf.float32)[:, tf.newaxis] + centre, horizon)
        root = tf.sqrt(self._beta2 * second) + self._epsilon
        drift = rate * length * self._beta1 * first / root
        moments = (self._beta1**missed * first, self._beta2**missed * second)
        return tf.concat([value - drift, *moments], axis=1)
