"""iALS: implicit alternating least squares, as a strong rival of the model.

Hu, Koren and Volinsky (2008) with the regularisation by frequency of Rendle, Krichene,
Zhang and Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks"
(2021), without which it is far weaker. `implicit`, the best known library, has one
penalty for all rows and none by frequency; hence these lines. With w a user's and h an
item's vector it minimises

    sum over pairs (w.h - 1)^2 + unobserved * sum over all cells (w.h)^2
    + l2 * sum over users (n_u + unobserved * items) |w|^2, and likewise for items.

Each side is solved row by row with the other one fixed, by a few steps of conjugate
gradients from where the row is.
"""

import concurrent.futures
import functools
import os
from collections.abc import Iterator

import numpy as np
import scipy.sparse

# Steps of conjugate gradients per row and epoch: the next epoch goes on from there.
_STEPS = 3
# Numbers of a block of rows: its vectors stay in the processor's cache.
_BLOCK = 1 << 18
_STDDEV = 0.1
_TINY = 1e-12


def fit(
    positives: scipy.sparse.csr_matrix,
    *,
    factors: int,
    l2: float,
    unobserved: float,
    epochs: int,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the vectors of users [users, factors] and of items [items, factors].

    Both are float32, and the same whatever the number of threads.

    Args:
        positives: [users, items], nonzero where the user has the item.
        factors: length of a vector, 1 or more.
        l2: the penalty, > 0.
        unobserved: weight of a cell beside 1 of a pair, > 0.
        epochs: how often both sides are solved.
        seed: of the random start.

    Raises:
        ValueError: a setting is out of its range.
    """
    for name, value in (("l2", l2), ("unobserved", unobserved), ("factors", factors)):
        if not value > 0:
            raise ValueError(f"`{name}` must be above 0; got {value}.")
    rng = np.random.default_rng(seed)
    scale = np.float32(_STDDEV / np.sqrt(factors))
    users, items = (
        rng.standard_normal((size, factors), np.float32) * scale
        for size in positives.shape
    )
    by_item = positives.T.tocsr()
    workers = min(4, os.cpu_count() or 1)
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for _ in range(epochs):
            _solve(positives, users, items, l2, unobserved, pool)
            _solve(by_item, items, users, l2, unobserved, pool)
    return users, items


def _solve(
    pairs: scipy.sparse.csr_matrix,
    rows: np.ndarray,
    other: np.ndarray,
    l2: float,
    unobserved: float,
    pool: concurrent.futures.Executor,
) -> None:
    """Improves `rows` in place; one without pairs becomes 0."""
    gram = np.float32(unobserved) * (other.T @ other)
    # A last row of zeros fills short lists up: it changes no sum.
    padded = np.concatenate([other, np.zeros((1, other.shape[1]), np.float32)])
    solve = functools.partial(_block, pairs, rows, padded, gram, l2, unobserved)
    for _ in pool.map(solve, _blocks(np.diff(pairs.indptr), other.shape[1])):
        pass


def _blocks(sizes: np.ndarray, factors: int) -> Iterator[np.ndarray]:
    """Yields rows of like size, as many as fill a block."""
    order = np.argsort(sizes, kind="stable")
    start = 0
    while start < len(order):
        stop = len(order)
        # The last row is the longest, so it says how many numbers there are.
        while stop > start + 1:
            most = max(1, _BLOCK // (factors * max(1, int(sizes[order[stop - 1]]))))
            if stop - start <= most:
                break
            stop = start + max(most, (stop - start) // 2)
        yield order[start:stop]
        start = stop


def _block(
    pairs: scipy.sparse.csr_matrix,
    rows: np.ndarray,
    padded: np.ndarray,
    gram: np.ndarray,
    l2: float,
    unobserved: float,
    block: np.ndarray,
) -> None:
    """Does the steps for the rows of a block."""
    sizes = np.diff(pairs.indptr)[block]
    width = int(sizes.max(initial=0))
    index = np.full((len(block), width), len(padded) - 1)
    filled = np.arange(width) < sizes[:, np.newaxis]
    index[filled] = pairs[block].indices
    vectors = padded[index]  # [rows, width, factors]
    total = sizes + unobserved * (len(padded) - 1)
    penalty = (l2 * total).astype(np.float32)[:, np.newaxis]

    def times(x: np.ndarray) -> np.ndarray:
        inner = np.einsum("rwf,rf->rw", vectors, x)
        return np.einsum("rw,rwf->rf", inner, vectors) + x @ gram + penalty * x

    solution = rows[block]
    residual = vectors.sum(axis=1) - times(solution)
    direction = residual
    square = (residual**2).sum(axis=1, keepdims=True)
    for _ in range(_STEPS):
        image = times(direction)
        step = square / np.maximum((direction * image).sum(1, keepdims=True), _TINY)
        solution = solution + step * direction
        residual = residual - step * image
        last, square = square, (residual**2).sum(axis=1, keepdims=True)
        direction = residual + square / np.maximum(last, _TINY) * direction
    rows[block] = np.where(sizes[:, np.newaxis] > 0, solution, 0)
