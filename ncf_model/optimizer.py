"""Adam, dense for the network and row by row for the tables.

Dense Adam (Kingma and Ba, 2015) moves every row of a table in every step: a row
without a gradient still follows its fading momentum. Its cost thus grows with the
catalogue. The usual lazy Adam leaves such rows alone, which is a different and
weaker method: a rare row learns several times less from each of its gradients.

Here a row is left alone while nobody asks for it, and catches up when it is next used:
the steps that it missed have zero gradients, so their sum is a geometric series. The
result is dense Adam's, but for two roundings: learning rate and bias correction are
taken as linear over the series, and epsilon is added to the root of the last step that
was not missed. Momentum fades within tens of steps, so both hardly matter.
"""

import math
from typing import Any

import numpy as np
import tensorflow as tf


class Adam:
    """The update rule, free of variables: tensors in, tensors out.

    A packed row is [value | first moment | second moment | step | rate | slope]: three
    fields of one width, and three numbers: the step after which the row stands, the
    next step's rate, and how much it changes per step. So a step reads and writes each
    row once, and catching up need not work rates out. Steps count from 1, and are
    exact up to 2**24.
    """

    def __init__(
        self, *, learning_rate: float, beta1: float, beta2: float, epsilon: float
    ) -> None:
        self._learning_rate = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        # Of a step without a gradient to the one before.
        self._ratio = beta1 / beta2**0.5
        # Of a long series of missed steps, from the last that was not missed.
        self._centre = 1.0 / (1.0 - self._ratio)
        self._log_beta1 = math.log(max(beta1, 1e-30))
        self._log_beta2 = math.log(beta2)

    def rate(self, step: tf.Tensor, horizon: tf.Tensor) -> tf.Tensor:
        """Returns the step size with Adam's bias correction.

        Args:
            step: float32, of any shape, 1 or more.
            horizon: float scalar, the steps after which a cosine reaches 0; 0 keeps
                the learning rate constant.
        """
        part = tf.clip_by_value((step - 1.0) / tf.maximum(horizon, 1.0), 0.0, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(part * 3.14159265))
        scale = tf.where(horizon > 0.0, cosine, tf.ones_like(cosine))
        correction = tf.sqrt(1.0 - self._beta2**step) / (1.0 - self._beta1**step)
        return self._learning_rate * scale * correction

    def update(
        self, value: Any, first: Any, second: Any, gradient: Any, rate: Any
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns value and moments after one step; all of one shape."""
        first = self._beta1 * first + (1.0 - self._beta1) * gradient
        second = self._beta2 * second + (1.0 - self._beta2) * tf.square(gradient)
        value = value - rate * first / (tf.sqrt(second) + self._epsilon)
        return value, first, second

    def pack(self, values: np.ndarray) -> np.ndarray:
        """Returns rows [n, 3 * width + 3] that nothing has updated yet."""
        return np.pad(values, ((0, 0), (0, 2 * values.shape[1] + 3)))

    def values(self, rows: tf.Tensor) -> tf.Tensor:
        """Returns the values [n, width] of packed rows."""
        return rows[:, : (rows.shape[1] - 3) // 3]

    def update_rows(
        self, rows: tf.Tensor, gradient: tf.Tensor, step: tf.Tensor, horizon: tf.Tensor
    ) -> tf.Tensor:
        """Returns packed rows after step number `step`.

        Args:
            rows: [n, 3 * width + 3] float32, up to date.
            gradient: [n, width] float32.
            step: float32 scalar.
            horizon: as in `rate`.
        """
        value, first, second = tf.split(rows[:, :-3], 3, axis=1)
        rate = self.rate(step, horizon)
        fields = self.update(value, first, second, gradient, rate)
        return self._packed(*fields, step, horizon)

    def catch_up(
        self, rows: tf.Tensor, now: tf.Tensor, horizon: tf.Tensor
    ) -> tf.Tensor:
        """Returns packed rows as dense Adam would have left them after step `now`.

        Args:
            rows: [n, 3 * width + 3] float32.
            now: float32 scalar, not before the rows' own steps.
            horizon: as in `rate`.
        """
        value, first, second = tf.split(rows[:, :-3], 3, axis=1)
        last, rate, slope = tf.split(rows[:, -3:], 3, axis=1)
        missed = now - last
        fading = tf.exp(missed * self._log_beta1)
        shrinking = tf.exp(missed * (0.5 * self._log_beta2))
        # In units of the last step that was not missed: ratio + ratio ** 2 + ...
        rest = fading / shrinking
        length = (1.0 - rest) * self._ratio / (1.0 - self._ratio)
        centre = self._centre - tf.math.divide_no_nan(missed * rest, 1.0 - rest)
        rate = rate + slope * (centre - 1.0)
        drift = rate * length * first / (tf.sqrt(second) + self._epsilon)
        moments = (fading * first, tf.square(shrinking) * second)
        return self._packed(value - drift, *moments, now, horizon)

    def _packed(
        self, value: Any, first: Any, second: Any, step: Any, horizon: tf.Tensor
    ) -> tf.Tensor:
        """Returns packed rows that stand after `step`."""
        rate = self.rate(step + 1.0, horizon)
        later = self.rate(step + self._centre, horizon)
        slope = (later - rate) / max(self._centre - 1.0, 1.0)
        numbers = tf.fill([value.shape[0], 3], 0.0) + tf.stack([step, rate, slope])
        return tf.concat([value, first, second, numbers], axis=1)
