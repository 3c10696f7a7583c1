"""iALS: implicit alternating least squares, a strong baseline and a part of the model.

Hu, Koren and Volinsky (2008) with the regularisation by frequency of Rendle, Krichene,
Zhang and Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks"
(2021), without which iALS is far weaker. The best known library, `implicit`, has one
penalty for all rows and none by frequency, and is not used therefore. With w the vector
of a user and h that of an item, iALS minimises

    sum over pairs (w.h - 1)^2 + unobserved * sum over all cells (w.h)^2
    + l2 * sum over users (n_u + unobserved * items) |w|^2
    + l2 * sum over items (n_i + unobserved * users) |h|^2.

The users' vectors are solved row by row with the items' fixed, then the items' with the
users' fixed, by a few steps of conjugate gradients from where a row is. The loops are
compiled: the steps of a row read only the vectors of the other side, which stay in the
processor's cache, and take a sixth of the time that NumPy takes with copies of them.
"""

import concurrent.futures

import numba
import numpy as np
import scipy.sparse

from ncf_model import cores
from ncf_model.sampling import compiled_cache

# Steps of conjugate gradients per row and epoch; the next epoch continues from there.
_STEPS = 3
# Where the other side stays fixed, a row is solved until so little error is left.
_STEPS_TO_THE_END, _NOTHING = 100, np.float32(1e-12)
_STDDEV = 0.1
_TINY = np.float32(1e-12)


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
        unobserved: the weight of every cell, > 0; a pair weighs 1 more.
        epochs: how often both sides are solved.
        seed: of the random vectors to begin with.

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
    with concurrent.futures.ThreadPoolExecutor(_workers()) as pool:
        for _ in range(epochs):
            _solve(positives, users, items, l2, unobserved, pool)
            _solve(by_item, items, users, l2, unobserved, pool)
    return users, items


def fold_in(
    positives: scipy.sparse.csr_matrix,
    items: np.ndarray,
    *,
    l2: float,
    unobserved: float,
) -> np.ndarray:
    """Returns the users' vectors for given vectors of the items, [users, factors].

    Args:
        positives: [users, items], nonzero where the user has the item.
        items: [items, factors], as `fit` returned them.
        l2, unobserved: the settings that `fit` had.
    """
    users = np.zeros((positives.shape[0], items.shape[1]), np.float32)
    with concurrent.futures.ThreadPoolExecutor(_workers()) as pool:
        _solve(positives, users, items, l2, unobserved, pool, steps=_STEPS_TO_THE_END)
    return users


def _workers() -> int:
    return min(4, cores.usable())


def _solve(
    pairs: scipy.sparse.csr_matrix,
    rows: np.ndarray,
    other: np.ndarray,
    l2: float,
    unobserved: float,
    pool: concurrent.futures.Executor,
    steps: int = _STEPS,
) -> None:
    """Improves `rows` in place; a row without pairs becomes 0."""
    gram = np.float32(unobserved) * (other.T @ other)
    sizes = np.diff(pairs.indptr)
    penalties = (l2 * (sizes + unobserved * len(other))).astype(np.float32)

    offsets = pairs.indptr.astype(np.int64, copy=False)
    indices = pairs.indices.astype(np.int32, copy=False)

    def solve(span: tuple[int, int]) -> None:
        _rows(
            *(offsets, indices),
            *(rows, other, gram, penalties, steps, *span),
        )

    for _ in pool.map(solve, _spans(pairs.indptr)):
        pass


def _spans(offsets: np.ndarray) -> list[tuple[int, int]]:
    """Returns ranges of rows that have about as many pairs, for threads to take."""
    wanted = np.linspace(0, offsets[-1], 16)
    ends = np.unique(np.append(np.searchsorted(offsets, wanted), [0, len(offsets) - 1]))
    return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))


@numba.njit(fastmath=compiled_cache.FREE_ORDER)
def _times(items, other, gram, penalty, x, out):  # type: ignore[no-untyped-def]
    """Writes (sum over the items of v v' + gram + penalty) x to `out`."""
    width = len(x)
    for f in range(width):
        out[f] = penalty * x[f]
    for g in range(width):
        factor = x[g]
        for f in range(width):
            out[f] += factor * gram[g, f]
    # Four items at a time, so that x and the sum are read a quarter as often.
    whole = len(items) // 4 * 4
    for place in range(0, whole, 4):
        v0, v1 = other[items[place]], other[items[place + 1]]
        v2, v3 = other[items[place + 2]], other[items[place + 3]]
        inner0 = inner1 = inner2 = inner3 = np.float32(0)
        for f in range(width):
            inner0 += v0[f] * x[f]
            inner1 += v1[f] * x[f]
            inner2 += v2[f] * x[f]
            inner3 += v3[f] * x[f]
        for f in range(width):
            out[f] += inner0 * v0[f] + inner1 * v1[f] + inner2 * v2[f] + inner3 * v3[f]
    for item in items[whole:]:
        inner = np.float32(0)
        for f in range(width):
            inner += other[item, f] * x[f]
        for f in range(width):
            out[f] += inner * other[item, f]


@compiled_cache.compiled(fastmath=compiled_cache.FREE_ORDER)
def _rows(  # type: ignore[no-untyped-def]
    offsets, indices, rows, other, gram, penalties, steps, start, stop
):
    """Does the steps for the rows from `start` to before `stop`, in place."""
    width = rows.shape[1]
    residual = np.empty(width, np.float32)
    direction = np.empty(width, np.float32)
    image = np.empty(width, np.float32)
    for row in range(start, stop):
        items = indices[offsets[row] : offsets[row + 1]]
        if len(items) == 0:
            rows[row] = 0
            continue
        penalty, x = penalties[row], rows[row]
        _times(items, other, gram, penalty, x, image)
        residual[:] = 0
        for item in items:
            for f in range(width):
                residual[f] += other[item, f]
        square = np.float32(0)
        for f in range(width):
            residual[f] -= image[f]
            direction[f] = residual[f]
            square += residual[f] * residual[f]
        first = square
        for _ in range(steps):
            if square <= _NOTHING * first:
                break
            _times(items, other, gram, penalty, direction, image)
            curve = np.float32(0)
            for f in range(width):
                curve += direction[f] * image[f]
            step = square / max(curve, _TINY)
            last, square = square, np.float32(0)
            for f in range(width):
                x[f] += step * direction[f]
                residual[f] -= step * image[f]
                square += residual[f] * residual[f]
            share = square / max(last, _TINY)
            for f in range(width):
                direction[f] = residual[f] + share * direction[f]
