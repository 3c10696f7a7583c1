"""Baselines on numbers that can be worked out by hand."""

import numpy as np
import pytest
import scipy.sparse

from components.eval_context import item_weights

# Users a, b, c, d; items 0, 1, 2, 3.
POSITIVES = scipy.sparse.csr_matrix(
    np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], np.float32)
)


def test_cosines_of_all_neighbours():
    weights = item_weights.item_knn(POSITIVES, neighbours=4).toarray()
    # Item 0 has 4 users, 1 has 2, 2 has 1: 2 / sqrt(4 * 2), 1 / sqrt(4 * 1).
    np.testing.assert_allclose(
        weights,
        [[0, 0.5**0.5, 0.5, 0], [0.5**0.5, 0, 0, 0], [0.5, 0, 0, 0], [0, 0, 0, 0]],
        rtol=1e-6,
    )


def test_only_the_nearest_neighbours_count():
    weights = item_weights.item_knn(POSITIVES, neighbours=1).toarray()
    np.testing.assert_allclose(weights[:, 0], [0, 0.5**0.5, 0, 0], rtol=1e-6)


def test_blocks_make_no_difference(monkeypatch):
    whole = item_weights.item_knn(POSITIVES, neighbours=2).toarray()
    monkeypatch.setattr(item_weights, "_BLOCK", 3)
    np.testing.assert_array_equal(
        item_weights.item_knn(POSITIVES, neighbours=2).toarray(), whole
    )


def test_refuses_no_neighbours():
    with pytest.raises(ValueError, match="`neighbours` must be 1 or more; got 0"):
        item_weights.item_knn(POSITIVES, neighbours=0)


def test_ease_of_two_items():
    positives = scipy.sparse.csr_matrix(np.array([[1, 1], [1, 0]], np.float32))
    # Gram + 1 = [[3, 1], [1, 2]]; its inverse is [[2, -1], [-1, 3]] / 5, so the
    # weights are 1 / 3 from item 0 to item 1, and 1 / 2 the other way.
    np.testing.assert_allclose(
        item_weights.ease(positives, l2=1.0), [[0, 1 / 3], [1 / 2, 0]], rtol=1e-6
    )


def test_ease_minimises_its_loss():
    """Steck (2019), eq. 2: |X - XB|^2 + l2 |B|^2 with a diagonal of zeros."""
    rng = np.random.default_rng(3)
    dense = (rng.random((30, 5)) < 0.4).astype(np.float32)
    weights = item_weights.ease(scipy.sparse.csr_matrix(dense), l2=2.0)

    def loss(b):
        return ((dense - dense @ b) ** 2).sum() + 2.0 * (b**2).sum()

    best = loss(weights)
    for _ in range(50):
        step = rng.normal(scale=0.01, size=weights.shape)
        np.fill_diagonal(step, 0)
        assert loss(weights + step) > best


@pytest.mark.parametrize("l2", [0.0, -1.0, float("nan")])
def test_ease_refuses_no_penalty(l2):
    with pytest.raises(ValueError, match="`l2` must be above 0"):
        item_weights.ease(POSITIVES, l2=l2)
