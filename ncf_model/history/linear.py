"""The linear part: each item's weights to the other items, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019): with X [users,
items] of zeros and ones, W minimises |X - X W|^2 + l2 |W|^2 with a diagonal of zeros,
so that no item predicts itself. With P the inverse of X'X + l2, column i of W is
-P[:, i] / P[i, i] outside of the diagonal.
"""

import concurrent.futures
import functools
from collections.abc import Callable

import numpy as np
import scipy.linalg
import scipy.sparse

from ncf_model import cores
from ncf_model.sampling import compiled_cache

# So many users are made dense at a time.
_BLOCK = 1024
# A dense product does so many multiplications in the time a sparse one takes for one.
_DENSE = 100
# So many columns at a time fit into a core's cache.
_COLUMNS = 512


def weights(
    positives: scipy.sparse.csr_matrix, *, l2: float, inner: np.ndarray | None = None
) -> np.ndarray:
    """Returns W [items, items] float32, its diagonal 0.

    The cheaper of two ways to P is taken: the inverse of a matrix of items x items or,
    by Woodbury's identity, that of a matrix of users x users.

    Args:
        positives: [users, items] float32, 1 where the user has the item.
        l2: the penalty, > 0.
        inner: the result of `products(positives)`, which serves several penalties; None
            computes that.
    """
    users, items = positives.shape
    inner = products(positives) if inner is None else inner.copy()
    if users < items:
        dense = positives.toarray()
        inverse = dense.T @ _inverse(inner, l2) @ dense
        inverse *= -1
        inverse[np.diag_indices(items)] += 1  # l2 times P
    else:
        inverse = _inverse(inner, l2)
    inverse /= -np.diag(inverse).copy()
    np.fill_diagonal(inverse, 0)
    return inverse


def products(positives: scipy.sparse.csr_matrix) -> np.ndarray:
    """Returns X'X, or XX' if there are fewer users than items, float32."""
    users, items = positives.shape
    rows = positives.T.tocsr() if users < items else positives
    small, sizes = rows.shape[1], np.diff(rows.indptr).astype(np.float64)
    result = np.zeros((small, small), np.float32)
    if (sizes**2).sum() * _DENSE < len(sizes) * small**2:
        operands = [*_arrays(rows.T.tocsr()), *_arrays(rows), result]
        _in_parts(functools.partial(_add_pairs, *operands), small, small // 64 + 1)
        return result
    for start in range(0, len(sizes), _BLOCK):
        block = rows[start : start + _BLOCK].toarray()
        result += block.T @ block
    return result


def _inverse(gram: np.ndarray, l2: float) -> np.ndarray:
    """Returns the inverse of gram + l2, float32, in rows; `gram` may be overwritten."""
    size = len(gram)
    if size % 2:
        # With an odd order `spotri` on one thread ends the process by a fault, where
        # OpenBLAS does not know the CPU and takes its kernels for the Prescott.
        gram = np.pad(gram, (0, 1))
        gram[-1, -1] = 1
    gram[np.diag_indices(len(gram))] += l2
    # Of a symmetric matrix LAPACK needs no copy, in its own order of columns.
    factor, lower = scipy.linalg.cho_factor(
        gram.T, lower=True, overwrite_a=True, check_finite=False
    )
    inverse, info = scipy.linalg.lapack.spotri(factor, lower=lower, overwrite_c=True)
    if info:
        raise ValueError(f"The linear part has no solution (LAPACK says {info}).")
    # LAPACK has written one triangle, which in NumPy's order of rows is the upper one.
    # Copy it to the other triangle, block by block for the cache's sake.
    inverse = inverse.T
    for start in range(0, len(inverse), _COLUMNS):
        stop = start + _COLUMNS
        corner = inverse[start:stop, start:stop]
        corner[:] = np.triu(corner) + np.triu(corner, 1).T
        inverse[stop:, start:stop] = inverse[start:stop, stop:].T
    return _shrunk(inverse, size)


def _shrunk(matrix: np.ndarray, size: int) -> np.ndarray:
    """Returns the first rows and columns as whole rows, in the memory of `matrix`."""
    kept = matrix.reshape(-1)[: size * size].reshape(size, size)
    for row in range(size if size < len(matrix) else 0):
        kept[row] = matrix[row, :size]
    return kept


def scores(positives: scipy.sparse.csr_matrix, matrix: np.ndarray) -> np.ndarray:
    """Returns positives @ matrix, [users, items] float32.

    A user's items are few among many even where a matrix is called dense, so only
    their rows are added up: on MovieLens 1M that takes a third of the time of a product
    of dense matrices or of SciPy's sparse one.
    """
    result = np.empty((positives.shape[0], matrix.shape[1]), np.float32)
    operands = [*_arrays(positives), np.ascontiguousarray(matrix, np.float32), result]
    _in_parts(functools.partial(_add_rows, *operands), matrix.shape[1], _COLUMNS)
    return result


def _arrays(matrix: scipy.sparse.csr_matrix) -> tuple[np.ndarray, ...]:
    """Returns offsets, columns and values in the types of the compiled loops."""
    return (
        matrix.indptr.astype(np.int64, copy=False),
        matrix.indices.astype(np.int32, copy=False),
        matrix.data.astype(np.float32, copy=False),
    )


def _in_parts(work: Callable[[int, int], None], count: int, width: int) -> None:
    """Calls `work(first, end)` for parts of `count`, on all cores."""
    with concurrent.futures.ThreadPoolExecutor(cores.usable()) as pool:
        starts = range(0, count, width)
        ends = (min(start + width, count) for start in starts)
        for _ in pool.map(work, starts, ends):
            pass


@compiled_cache.compiled(fastmath=compiled_cache.FREE_ORDER)
def _add_rows(  # type: ignore[no-untyped-def]
    offsets, indices, weights, matrix, result, first, last
):
    """Computes the columns from `first` to before `last`."""
    for user in range(len(offsets) - 1):
        total = result[user, first:last]
        total[:] = 0
        place, end = offsets[user], offsets[user + 1]
        # Four at a time, so that the sum is read and written a quarter as often.
        while place + 4 <= end:
            row0 = matrix[indices[place], first:last]
            row1 = matrix[indices[place + 1], first:last]
            row2 = matrix[indices[place + 2], first:last]
            row3 = matrix[indices[place + 3], first:last]
            weight0, weight1 = weights[place], weights[place + 1]
            weight2, weight3 = weights[place + 2], weights[place + 3]
            for column in range(len(total)):
                total[column] += (
                    weight0 * row0[column]
                    + weight1 * row1[column]
                    + weight2 * row2[column]
                    + weight3 * row3[column]
                )
            place += 4
        while place < end:
            row, weight = matrix[indices[place], first:last], weights[place]
            for column in range(len(total)):
                total[column] += weight * row[column]
            place += 1


@compiled_cache.compiled()
def _add_pairs(  # type: ignore[no-untyped-def]
    owners_of, owners, own, offsets, indices, values, result, first, last
):
    """Computes the rows from `first` to before `last` of the products of columns.

    A row of the result stays in a core's cache while its column's owners are gone
    through.
    """
    for item in range(first, last):
        row = result[item]
        for place in range(owners_of[item], owners_of[item + 1]):
            user, value = owners[place], own[place]
            for other in range(offsets[user], offsets[user + 1]):
                row[indices[other]] += value * values[other]
