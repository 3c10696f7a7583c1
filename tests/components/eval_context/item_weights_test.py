"""Item weights of the item-KNN baseline, on numbers that can be worked out by hand."""

import numpy as np
import pytest
import scipy.sparse

from components.eval_context import item_weights

# Rows are users, columns are items.
POSITIVES = scipy.sparse.csr_matrix(
    np.array([[1, 1, 0, 0], [1, 1, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]], np.float32)
)


def test_cosines_of_all_neighbours():
    weights = item_weights.item_knn(POSITIVES, neighbours=4).toarray()
    # Items 0, 1, 2 have 4, 2, 1 users: cosines 2 / sqrt(4 * 2), 1 / sqrt(4 * 1).
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


@pytest.mark.parametrize("neighbours", [1, 2, 3, 20])
def test_fewer_of_many_are_those_that_few_would_be(neighbours):
    dense = np.random.default_rng(0).random((9, 20)) < 0.5  # Many cosines tie.
    positives = scipy.sparse.csr_matrix(dense.astype(np.float32))
    one = item_weights.item_knn(positives, neighbours=neighbours)
    many = item_weights.Nearest(positives, most=20).weights(neighbours)
    np.testing.assert_array_equal(many.toarray(), one.toarray())


def test_refuses_no_neighbours():
    with pytest.raises(ValueError, match="`neighbours` must be 1 or more; got 0"):
        item_weights.item_knn(POSITIVES, neighbours=0)


def test_of_equals_the_more_popular_stay_and_then_the_first():
    """Everybody has the first four items, so that their similarities are equal."""
    dense = np.ones((3, 6), np.float32)
    dense[0, 4:] = 0  # Items 4 and 5 are less popular, and less similar to the others.
    weights = item_weights.item_knn(scipy.sparse.csr_matrix(dense), neighbours=2)
    near = [np.flatnonzero(column).tolist() for column in weights.toarray().T]
    assert near == [[1, 2], [0, 2], [0, 1], [0, 1], [0, 5], [0, 4]]
    few = item_weights.item_knn(scipy.sparse.csr_matrix(dense[:, 4:]), neighbours=2)
    assert few.nnz == 2  # Each item has just one other.


@pytest.mark.parametrize("neighbours", [1, 5])
def test_no_item_has_more_than_so_many_neighbours(neighbours):
    """One user who has all 400 items makes every item similar to 399 others."""
    everything = scipy.sparse.csr_matrix(np.ones((1, 400), np.float32))
    weights = item_weights.item_knn(everything, neighbours=neighbours)
    assert weights.getnnz(axis=0).tolist() == [neighbours] * 400
    # The search does not keep more neighbours in memory either.
    searched = item_weights.Nearest(everything, most=neighbours)
    assert searched._near.nnz == neighbours * 400


@pytest.mark.parametrize(
    ("num_items", "threads", "width"),
    [(0, 1, 512), (1_682, 4, 512), (30_000, 1, 319), (30_000, 4, 79), (10**9, 1, 1)],
)
def test_what_is_dense_at_a_time_fits_whatever_the_catalogue(num_items, threads, width):
    """All threads have 2**28 bytes at 28 per item, and one row each at least."""
    assert item_weights.block_width(num_items, threads) == width


def test_any_number_of_threads_finds_the_same(monkeypatch):
    rng = np.random.default_rng(0)
    positives = scipy.sparse.csr_matrix(rng.random((60, 90)) < 0.2, dtype=np.float32)
    expected = item_weights.item_knn(positives, neighbours=7)
    monkeypatch.setattr(item_weights, "BLOCK_BYTES", 28 * 90 * 12)  # Twelve rows.
    for threads in (1, 3, 40):
        monkeypatch.setattr(item_weights.cores, "usable", lambda n=threads: n)
        found = item_weights.item_knn(positives, neighbours=7)
        assert (found != expected).nnz == 0
