"""The linear part: each item's weights to the other items, in closed form.

Steck, "Embarrassingly Shallow Autoencoders for Sparse Data" (2019): with X [users,
items] of zeros and ones, W minimises |X - X W|^2 + l2 |W|^2 with a diagonal of zeros,
so that an item never vouches for itself. With P the inverse of X'X + l2, column i of W
is -P[:, i] / P[i, i] outside of the diagonal.
"""

import numpy as np
import scipy.linalg
import scipy.sparse

# Rows of users that are dense at a time.
_BLOCK = 1024
# A product of dense matrices does so many multiplications while a sparse one does one.
_DENSE = 100


def weights(
    positives: scipy.sparse.csr_matrix, *, l2: float, inner: np.ndarray | None = None
) -> np.ndarray:
    """Returns W [items, items] float32, its diagonal 0.

    Of P's two forms the cheaper is used: the inverse of a matrix of items x items, or,
    by Woodbury's identity, of users x users.

    Args:
        positives: [users, items] float32, 1 where the user has the item.
        l2: the penalty, > 0.
        inner: what `products` returned for `positives`, where several penalties are
            tried; None computes it.
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
    if (sizes**2).sum() * _DENSE < len(sizes) * small**2:
        return np.asarray((rows.T @ rows).toarray(), np.float32)
    result = np.zeros((small, small), np.float32)
    for start in range(0, len(sizes), _BLOCK):
        block = rows[start : start + _BLOCK].toarray()
        result += block.T @ block
    return result


def _inverse(gram: np.ndarray, l2: float) -> np.ndarray:
    """Returns the inverse of gram + l2, float32; `gram` is overwritten."""
    gram[np.diag_indices(len(gram))] += l2
    factor, lower = scipy.linalg.cho_factor(
        gram, lower=True, overwrite_a=True, check_finite=False
    )
    inverse, info = scipy.linalg.lapack.spotri(factor, lower=lower, overwrite_c=True)
    if info:
        raise ValueError(f"The linear part has no solution (LAPACK says {info}).")
    # LAPACK leaves the other triangle as it was.
    inverse = np.tril(inverse)
    inverse += np.tril(inverse, -1).T
    return inverse


def scores(positives: scipy.sparse.csr_matrix, matrix: np.ndarray) -> np.ndarray:
    """Returns positives @ matrix, [users, items] float32."""
    if positives.nnz * _DENSE < np.prod(positives.shape, dtype=np.float64):
        return np.asarray(positives @ matrix, np.float32)
    result = np.empty((positives.shape[0], matrix.shape[1]), np.float32)
    for start in range(0, len(result), _BLOCK):
        rows = slice(start, start + _BLOCK)
        np.matmul(positives[rows].toarray(), matrix, out=result[rows])
    return result
