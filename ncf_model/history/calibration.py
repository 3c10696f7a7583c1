"""Turns a logit into a probability, for scores that were trained only to rank.

The method is Platt's, "Probabilistic Outputs for Support Vector Machines" (1999): a
logistic curve is fitted to the scores of items that users took and of other items. With
his smoothed targets the curve stays finite where the two kinds do not overlap.
"""

from typing import NamedTuple

import numpy as np

_STEPS = 50
# The least slope, times the spread of the scores: a rising curve keeps every order.
_LEAST_SLOPE = 1e-3


class Calibration(NamedTuple):
    """The probability is sigmoid(slope * logit + offset), slope > 0.

    Example:
        >>> Calibration(slope=0.5, offset=1.0).logits(4.0)
        3.0
    """

    slope: float = 1.0
    offset: float = 0.0

    def logits(self, values: float | np.ndarray) -> float | np.ndarray:
        """Returns `values` in log odds."""
        return self.slope * values + self.offset


AS_IT_IS = Calibration()


def fit(taken: np.ndarray, others: np.ndarray) -> Calibration:
    """Returns the curve that separates scores of items taken from other scores.

    Args:
        taken: scores of items that were taken, any shape.
        others: scores of items that were not taken, any shape.

    Raises:
        ValueError: a score is not finite, or there is no score of one of the kinds.
    """
    counts = (taken.size, others.size)
    scores = np.concatenate([taken.ravel(), others.ravel()]).astype(np.float64)
    if not all(counts) or not np.isfinite(scores).all():
        raise ValueError(
            f"Scores of both kinds, finite ones, are needed; got {counts[0]} of items "
            f"that were taken and {counts[1]} of others."
        )
    targets = [(counts[0] + 1) / (counts[0] + 2), 1 / (counts[1] + 2)]
    wanted = np.repeat(targets, counts)
    middle, spread = scores.mean(), scores.std() or 1.0
    inputs = np.stack([(scores - middle) / spread, np.ones_like(scores)], axis=1)
    slope, offset = _logistic_regression(inputs, wanted)
    slope = max(slope, _LEAST_SLOPE)
    return Calibration(float(slope / spread), float(offset - slope * middle / spread))


def _logistic_regression(inputs: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns [d] weights of inputs [n, d], by Newton's method with halved steps."""

    def loss(weights: np.ndarray) -> float:
        logits = inputs @ weights
        return float((np.logaddexp(0, logits) - wanted * logits).sum())

    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(inputs @ weights, -500, 500)))
        slope = inputs.T @ (chance - wanted)
        curve = (inputs.T * (chance * (1 - chance))) @ inputs
        step = np.linalg.solve(curve + 1e-9 * np.eye(len(weights)), slope)
        size = 1.0
        while loss(weights - size * step) > loss(weights) and size > 1e-9:
            size /= 2
        weights = weights - size * step
        if np.abs(size * step).max() < 1e-9:
            break
    return weights
