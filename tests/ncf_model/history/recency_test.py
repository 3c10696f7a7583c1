"""Weights of a history's items by recency, worked out by hand."""

import numpy as np
import pytest

from ncf_model.history import recency

OFFSETS = np.array([0, 2, 2, 3])  # Three users have two items, none and one.


@pytest.mark.parametrize(
    ("exponent", "expected"), [(0.0, [1, 1, 1]), (1.0, [2 / 3, 4 / 3, 1])]
)
def test_the_latest_weighs_most_and_the_mean_is_one(exponent, expected):
    np.testing.assert_allclose(recency.weights(OFFSETS, exponent), expected)


def test_nobody_has_anything():
    assert len(recency.weights(np.array([0, 0]), 0.5)) == 0
