"""The rank of the held-out item in its list, and the metrics of a rank.

The trainer's validation and the Evaluator's metrics share these rules. They need NumPy
only.
"""

import numpy as np


def ranks(scores: np.ndarray) -> np.ndarray:
    """Returns how many other candidates score at least as high as the held-out one.

    A tie counts against the model: a model that gives every item the same score must
    not look good.

    Args:
        scores: [B, 1 + m] float, column 0 the held-out item. Rows shorter than the
            longest are padded with -inf, which never counts.

    Returns:
        [B] int64, 0 for the best place.

    Raises:
        ValueError: `scores` is not a matrix with at least one column, holds a NaN, or
            a held-out score is not finite. None of these has a rank.
    """
    scores = np.asarray(scores)
    if scores.ndim != 2 or scores.shape[1] < 1:
        raise ValueError(
            "`scores` must be [lists, 1 + negatives] with the held-out item first; "
            f"got shape {scores.shape}."
        )
    if np.isnan(scores).any():
        row, column = np.argwhere(np.isnan(scores))[0]
        raise ValueError(
            f"Scores must not be NaN; list {row}, candidate {column} is. "
            "The model diverged: try a smaller learning rate."
        )
    held_out = scores[:, :1]
    if not np.isfinite(held_out).all():
        row = int(np.flatnonzero(~np.isfinite(held_out[:, 0]))[0])
        raise ValueError(
            f"The held-out item's score must be finite; in list {row} it is "
            f"{held_out[row, 0]}."
        )
    return np.count_nonzero(scores[:, 1:] >= held_out, axis=1)


def top(scores: np.ndarray, k: int) -> np.ndarray:
    """Returns where the `k` highest scores are, the best first, equal ones in order.

    Args:
        scores: [N] float without NaN; -inf is never among the best.
        k: how many, >= 1; there are fewer where fewer are above -inf.
    """
    k = min(k, np.count_nonzero(scores > -np.inf))
    if not k:
        return np.empty(0, np.int64)
    limit = np.partition(scores, -k)[-k]
    best = np.flatnonzero(scores >= limit)
    return best[np.argsort(-scores[best], kind="stable")][:k]


def hit_rate(ranks: np.ndarray, k: int) -> np.ndarray:
    """Returns, per list, 1.0 if the held-out item is among the first `k`, else 0.0.

    Args:
        ranks: [B] int, as from `ranks`.
        k: length of the shown list, >= 1.

    Raises:
        ValueError: `k` is below 1.
    """
    return _in_top(ranks, k).astype(np.float64)


def ndcg(ranks: np.ndarray, k: int) -> np.ndarray:
    """Returns, per list, ln 2 / ln(rank + 2) if the rank is below `k`, else 0.0.

    With a single relevant item the ideal gain is 1, so this is already normalised.

    Args:
        ranks: [B] int, as from `ranks`.
        k: length of the shown list, >= 1.

    Raises:
        ValueError: `k` is below 1.
    """
    gains = np.log(2.0) / np.log(np.asarray(ranks) + 2.0)
    return np.where(_in_top(ranks, k), gains, 0.0)


def gains(ranks: np.ndarray, k: int) -> dict[str, np.ndarray]:
    """Returns HR@K and NDCG@K of each list, named like `hit_rate@10` and `ndcg@10`.

    Args:
        ranks: [B] int, as from `ranks`.
        k: length of the shown list, >= 1.

    Raises:
        ValueError: `k` is below 1.
    """
    return {f"hit_rate@{k}": hit_rate(ranks, k), f"ndcg@{k}": ndcg(ranks, k)}


def _in_top(ranks: np.ndarray, k: int) -> np.ndarray:
    if k < 1:
        raise ValueError(f"`k` must be >= 1; got {k}.")
    return np.asarray(ranks) < k
