"""EASE's closed form, against hand arithmetic and against ridge regressions."""

import os
import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.sparse

from ncf_model.history import linear


def _sparse(rows):
    return scipy.sparse.csr_matrix(np.array(rows, np.float32))


def test_two_items_by_hand():
    # X'X + l2 * I is [[3, 1], [1, 2]], whose inverse is [[2, -1], [-1, 3]] / 5.
    weights = linear.weights(_sparse([[1, 1], [1, 0]]), l2=1)
    np.testing.assert_allclose(weights, [[0, 1 / 3], [1 / 2, 0]], atol=1e-6)


@pytest.mark.parametrize("users", [6, 40])
def test_each_column_is_a_ridge_regression_on_the_other_items(users):
    positives = np.random.default_rng(0).random((users, 12)) < 0.4
    weights = linear.weights(_sparse(positives), l2=3)
    for item in range(12):
        others = np.delete(positives, item, axis=1).astype(float)
        gram = others.T @ others + 3 * np.eye(11)
        expected = np.linalg.solve(gram, others.T @ positives[:, item])
        np.testing.assert_allclose(
            np.delete(weights[:, item], item), expected, atol=1e-5
        )
        assert weights[item, item] == 0


@pytest.mark.parametrize("users", [150, 900])  # There are 300 items.
@pytest.mark.parametrize("density", [0.01, 0.3])
def test_products_of_few_and_of_many_items(users, density):
    rng = np.random.default_rng(1)
    positives = _sparse(rng.random((users, 300)) < density)
    dense = positives.toarray().astype(int)
    expected = dense @ dense.T if users < 300 else dense.T @ dense
    found = linear.products(positives)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, expected)


def test_scores_are_sums_of_the_rows_of_what_a_user_has():
    matrix = np.array([[0, 1], [2, 0]], np.float32)
    scores = linear.scores(_sparse([[1, 1], [0, 1], [0, 0]]), matrix)
    np.testing.assert_array_equal(scores, [[2, 1], [2, 0], [0, 0]])


def test_more_columns_than_a_block():
    rng = np.random.default_rng(3)
    values = rng.standard_normal((700, 600)) * (rng.random((700, 600)) < 0.05)
    positives = scipy.sparse.csr_matrix(values.astype(np.float32))
    matrix = rng.standard_normal((600, 600)).astype(np.float32)
    np.testing.assert_allclose(
        linear.scores(positives, matrix), positives @ matrix, rtol=1e-4, atol=1e-4
    )
    positives.data[:] = 1
    inverse = np.linalg.inv(
        (positives.T @ positives).toarray().astype(np.float64) + 30 * np.eye(600)
    )
    expected = -inverse / np.diag(inverse)
    np.fill_diagonal(expected, 0)
    weights = linear.weights(positives, l2=30)
    np.testing.assert_allclose(weights, expected, atol=1e-5)


ODD = """
import numpy as np, scipy.sparse
from ncf_model.history import linear
rows = scipy.sparse.random(700, 601, density=0.1, random_state=1, format="csr")
rows = (rows > 0).astype(np.float32)
found = linear.weights(rows, l2=5.0)
p = np.linalg.inv(rows.toarray().T.astype(float) @ rows.toarray() + 5 * np.eye(601))
expected = -p / np.diag(p)
np.fill_diagonal(expected, 0)
np.testing.assert_allclose(found, expected, atol=1e-4)
"""


def test_an_odd_number_of_items_on_one_thread_of_an_unknown_cpu():
    kernels = {"OPENBLAS_CORETYPE": "Prescott", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", ODD],
        env=os.environ | kernels,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("items", [2000, 2001])
def test_scores_copy_no_weights(items):
    """The weights are whole rows, and an inverse takes little memory beside `inner`."""
    positives = _sparse(np.eye(items + 1, items))
    inner = linear.products(positives)
    tracemalloc.start()
    weights = linear.weights(positives, l2=1, inner=inner)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert weights.flags.c_contiguous
    assert peak < 2.5 * inner.nbytes
