"""Adam, dense for the network and row by row for the tables.

Dense Adam (Kingma and Ba, 2015) changes every row of a table in every step: a row
without a gradient still follows its fading momentum. The cost of a step thus grows with
the catalogue. The usual lazy Adam leaves such rows alone, which is a different and
weaker method: a rare row learns several times less from each of its gradients.

Here a row is left alone while no batch uses it, and catches up when a batch uses it
again: the gradients of the steps that the row missed are zero, so the sum of these
steps is a geometric series. The result is that of dense Adam, but for two
approximations: learning rate and bias correction are taken as linear over the series,
and epsilon is added to the root of the last step that was not missed. Where momentum
fades within tens of steps, both hardly matter; `Adam.rows_can_wait` says whether it
does.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# A row's clock holds a step as two digits to this base, as float32 is exact to 2**24.
_BASE = 1 << 20
# Limits of the settings with which a row may wait; see `Adam.rows_can_wait`.
_LARGEST_RATIO, _SMALLEST_BETA2 = 0.96, 0.9


class Rows(NamedTuple):
    """Rows of a table in training.

    The fields are separate tensors: XLA computes one field at a time with a processor's
    vector units, but would compute a row of all fields number by number.

    Attributes:
        values: [n, width] float32.
        first: [n, width] float32, the first moment.
        second: [n, width] float32, the second moment.
        clock: [n, 4] float32: the last step that the row has done, as two digits (see
            `steps`), the learning rate of the next step, and how much that rate changes
            per step, so that catching up need not compute rates. Steps count from 1,
            exact to 2**44.
    """

    values: Any
    first: Any
    second: Any
    clock: Any

    def at(self, index: tf.Tensor) -> "Rows":
        """Returns the rows at `index`, [k] integers."""
        return Rows(*(tf.gather(field, index) for field in self))

    @property
    def steps(self) -> tf.Tensor:
        """Returns the last step that each row has done, [n] int64."""
        high, low = (tf.cast(self.clock[:, i], tf.int64) for i in (0, 1))
        return high * _BASE + low


class Adam:
    """The update rule as functions of tensors, without variables."""

    def __init__(
        self, *, learning_rate: float, beta1: float, beta2: float, epsilon: float
    ) -> None:
        self._learning_rate = learning_rate
        self._beta1 = beta1
        self._beta2 = beta2
        self._epsilon = epsilon
        # The ratio of a step without a gradient to the step before.
        self._ratio = beta1 / beta2**0.5
        # The sum of a long series of missed steps, by the last step that was not
        # missed.
        self._centre = 1.0 / (1.0 - self._ratio)
        self._log_beta1 = math.log(max(beta1, 1e-30))
        self._log_beta2 = math.log(beta2)

    @property
    def rows_can_wait(self) -> bool:
        """Whether `catch_up` is as good as dense Adam.

        It is not where beta1 is near the root of beta2: momentum then fades so slowly
        that the learning rate is not linear over the missed steps. Nor is it with a
        small beta2, whose second moment falls below epsilon while a row waits.
        """
        return self._ratio <= _LARGEST_RATIO and self._beta2 >= _SMALLEST_BETA2

    def rate(self, step: tf.Tensor, decay_steps: tf.Tensor) -> tf.Tensor:
        """Returns the step size with Adam's bias correction.

        Args:
            step: float32, of any shape, 1 or more.
            decay_steps: float scalar, the number of steps in which the learning rate
                decays to 0 along a cosine; 0 keeps it constant.
        """
        part = tf.clip_by_value((step - 1.0) / tf.maximum(decay_steps, 1.0), 0.0, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(part * 3.14159265))
        scale = tf.where(decay_steps > 0.0, cosine, tf.ones_like(cosine))
        correction = tf.sqrt(1.0 - self._beta2**step) / (1.0 - self._beta1**step)
        return self._learning_rate * scale * correction

    def update(
        self, value: Any, first: Any, second: Any, gradient: Any, rate: Any
    ) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns values and moments after one step; all have one shape."""
        first = self._beta1 * first + (1.0 - self._beta1) * gradient
        second = self._beta2 * second + (1.0 - self._beta2) * tf.square(gradient)
        value = value - rate * first / (tf.sqrt(second) + self._epsilon)
        return value, first, second

    def start(self, values: np.ndarray) -> Rows:
        """Returns rows with a copy of `values` [n, width], before the first step."""
        first, second = np.zeros((2, *values.shape), np.float32)
        clock = np.zeros((len(values), 4), np.float32)
        return Rows(values.copy(), first, second, clock)

    def update_rows(
        self, rows: Rows, gradient: tf.Tensor, step: tf.Tensor, decay_steps: tf.Tensor
    ) -> Rows:
        """Returns the rows after step number `step`.

        Args:
            rows: rows that have done all steps before this one.
            gradient: [n, width] float32.
            step: int64 scalar.
            decay_steps: as in `rate`.
        """
        rate = self.rate(tf.cast(step, tf.float32), decay_steps)
        fields = self.update(rows.values, rows.first, rows.second, gradient, rate)
        return Rows(*fields, self._clock(rows.clock, step, decay_steps))

    def catch_up(self, rows: Rows, now: tf.Tensor, decay_steps: tf.Tensor) -> Rows:
        """Returns the rows as dense Adam would have left them after step `now`.

        Args:
            rows: rows that may have missed steps.
            now: int64 scalar, not before the last step that a row has done.
            decay_steps: as in `rate`.
        """
        high, low, rate, slope = tf.split(rows.clock, 4, axis=1)
        digits = _digits(now)
        missed = (digits[0] - high) * _BASE + (digits[1] - low)
        fading = tf.exp(missed * self._log_beta1)
        shrinking = tf.exp(missed * (0.5 * self._log_beta2))
        # The unit is the last step that was not missed: ratio + ratio ** 2 + ...
        # Both moments reach 0 in the end, after 200,000 steps with the usual beta2.
        rest = tf.math.divide_no_nan(fading, shrinking)
        length = (1.0 - rest) * self._ratio / (1.0 - self._ratio)
        centre = self._centre - tf.math.divide_no_nan(missed * rest, 1.0 - rest)
        rate = rate + slope * (centre - 1.0)
        drift = rate * length * rows.first / (tf.sqrt(rows.second) + self._epsilon)
        return Rows(
            rows.values - drift,
            fading * rows.first,
            tf.square(shrinking) * rows.second,
            self._clock(rows.clock, now, decay_steps),
        )

    def _clock(
        self, before: tf.Tensor, step: tf.Tensor, decay_steps: tf.Tensor
    ) -> tf.Tensor:
        """Returns the `clock` of rows that have done `step`; it was `before`.

        All rows are equal. They are written as if they depended on the old ones, so
        that XLA overwrites those instead of copying the table's.
        """
        at = tf.cast(step, tf.float32)
        rate = self.rate(at + 1.0, decay_steps)
        later = self.rate(at + self._centre, decay_steps)
        slope = (later - rate) / max(self._centre - 1.0, 1.0)
        return tf.stack([*_digits(step), rate, slope]) + 0.0 * before


def _digits(step: tf.Tensor) -> list[tf.Tensor]:
    """Returns a step as two float32 scalars, the higher digit first."""
    return [tf.cast(step // _BASE, tf.float32), tf.cast(step % _BASE, tf.float32)]
