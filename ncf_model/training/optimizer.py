"""Adam, dense for the network and row by row for the tables.

Dense Adam (Kingma and Ba, 2015) moves every row of a table in every step: a row
without a gradient still follows its fading momentum. Its cost thus grows with the
catalogue. The usual lazy Adam leaves such rows alone, which is a different and
weaker method: a rare row learns several times less from each of its gradients.

Here a row is left alone while nobody asks for it, and catches up when it is next used:
the steps that it missed have zero gradients, so their sum is a geometric series. The
result is dense Adam's, but for two roundings: learning rate and bias correction are
taken as linear over the series, and epsilon is added to the root of the last step that
was not missed. Where momentum fades within tens of steps both hardly matter;
`Adam.rows_can_wait` tells for which settings it does.
"""

import math
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

# A row's clock holds steps as two digits to this base: float32 counts to 2**24 only.
_BASE = 1 << 20
# Of the settings with which a row may wait; see `Adam.rows_can_wait`.
_LARGEST_RATIO, _SMALLEST_BETA2 = 0.96, 0.9


class Rows(NamedTuple):
    """Rows of a table in training.

    Apart, not side by side: XLA computes one field at a time with the vector units of
    a processor, and a row of several fields number by number.

    Attributes:
        values: [n, width] float32.
        first: [n, width] float32, the first moment.
        second: [n, width] float32, the second moment.
        clock: [n, 4] float32: the step after which the row stands, as two digits (see
            `steps`), the next step's rate, and how much that changes per step. So
            catching up need not work rates out. Steps count from 1, exact to 2**44.
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
        """[n] int64, the step after which each row stands."""
        high, low = (tf.cast(self.clock[:, i], tf.int64) for i in (0, 1))
        return high * _BASE + low


class Adam:
    """The update rule, free of variables: tensors in, tensors out."""

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

    @property
    def rows_can_wait(self) -> bool:
        """Whether `catch_up` is as good as dense Adam.

        Not where beta1 is near the root of beta2, as momentum then fades too slowly for
        a rate that is linear in the steps; nor with a small beta2, whose second moment
        falls below epsilon while the row waits.
        """
        return self._ratio <= _LARGEST_RATIO and self._beta2 >= _SMALLEST_BETA2

    def rate(self, step: tf.Tensor, decay_steps: tf.Tensor) -> tf.Tensor:
        """Returns the step size with Adam's bias correction.

        Args:
            step: float32, of any shape, 1 or more.
            decay_steps: float scalar, the steps after which a cosine reaches 0; 0 keeps
                the learning rate constant.
        """
        part = tf.clip_by_value((step - 1.0) / tf.maximum(decay_steps, 1.0), 0.0, 1.0)
        cosine = 0.5 * (1.0 + tf.cos(part * 3.14159265))
        scale = tf.where(decay_steps > 0.0, cosine, tf.ones_like(cosine))
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

    def start(self, values: np.ndarray) -> Rows:
        """Returns rows of a copy of `values` [n, width] that nothing has updated."""
        first, second = np.zeros((2, *values.shape), np.float32)
        clock = np.zeros((len(values), 4), np.float32)
        return Rows(values.copy(), first, second, clock)

    def update_rows(
        self, rows: Rows, gradient: tf.Tensor, step: tf.Tensor, decay_steps: tf.Tensor
    ) -> Rows:
        """Returns the rows after step number `step`.

        Args:
            rows: up to date.
            gradient: [n, width] float32.
            step: int64 scalar.
            decay_steps: as in `rate`.
        """
        rate = self.rate(tf.cast(step, tf.float32), decay_steps)
        fields = self.update(rows.values, rows.first, rows.second, gradient, rate)
        before = _digits(step - 1)
        stands = [
            rows.clock[:, i : i + 1] + (digit - before[i])
            for i, digit in enumerate(_digits(step))
        ]
        clock = self._clock(stands, step, decay_steps)
        return Rows(*fields, clock)

    def catch_up(self, rows: Rows, now: tf.Tensor, decay_steps: tf.Tensor) -> Rows:
        """Returns the rows as dense Adam would have left them after step `now`.

        Args:
            rows: as they stand.
            now: int64 scalar, not before the rows' own steps.
            decay_steps: as in `rate`.
        """
        high, low, rate, slope = tf.split(rows.clock, 4, axis=1)
        digits = _digits(now)
        missed = (digits[0] - high) * _BASE + (digits[1] - low)
        fading = tf.exp(missed * self._log_beta1)
        shrinking = tf.exp(missed * (0.5 * self._log_beta2))
        # In units of the last step that was not missed: ratio + ratio ** 2 + ...
        # Both fall to 0 in the end, 200,000 steps or so with the usual beta2.
        rest = tf.math.divide_no_nan(fading, shrinking)
        length = (1.0 - rest) * self._ratio / (1.0 - self._ratio)
        centre = self._centre - tf.math.divide_no_nan(missed * rest, 1.0 - rest)
        rate = rate + slope * (centre - 1.0)
        drift = rate * length * rows.first / (tf.sqrt(rows.second) + self._epsilon)
        # Always `now`. That it seems to depend on all that was read of the old clock
        # lets XLA write the new one in place, instead of copying the table's.
        read = tf.abs(rate * length) + fading + shrinking
        stands = [tf.maximum(digit, -read) for digit in digits]
        return Rows(
            rows.values - drift,
            fading * rows.first,
            tf.square(shrinking) * rows.second,
            self._clock(stands, now, decay_steps),
        )

    def _clock(
        self, stands: list[tf.Tensor], step: tf.Tensor, decay_steps: tf.Tensor
    ) -> tf.Tensor:
        """Returns the `clock` of rows that stand after `step`; its digits, [n, 1]."""
        step = tf.cast(step, tf.float32)
        rate = self.rate(step + 1.0, decay_steps)
        later = self.rate(step + self._centre, decay_steps)
        slope = (later - rate) / max(self._centre - 1.0, 1.0)
        ones = tf.ones_like(stands[0])
        return tf.concat([*stands, rate * ones, slope * ones], axis=1)


def _digits(step: tf.Tensor) -> list[tf.Tensor]:
    """Returns a step as two float32 scalars, the higher digit first."""
    return [tf.cast(step // _BASE, tf.float32), tf.cast(step % _BASE, tf.float32)]
