"""How well popularity and EASE serve users who are held out whole; free of TFX."""

from collections.abc import Mapping, Sequence

import numpy as np
import scipy.sparse

from ncf_model import features
from ncf_model.evaluation import ranking
from ncf_model.history import linear

CUTOFF = 10
_LISTS = 512


def figures(
    baskets: scipy.sparse.csr_matrix,
    held_out: np.ndarray,
    *,
    positives: scipy.sparse.csr_matrix,
    ease_l2: float | None,
) -> dict[str, dict[str, float]]:
    """Returns HR@10 and NDCG@10 in the whole catalogue, by baseline.

    Args:
        baskets: [L, items] float32, 1 where the user took the item before.
        held_out: [L] the column of the item to find.
        positives: [users, items] float32, of the users who train.
        ease_l2: the penalty of EASE; None leaves EASE out.
    """
    if not len(held_out):
        return {}
    popular = np.asarray(positives.sum(axis=0), np.float32)
    scorers = {features.POPULARITY: lambda rows: np.repeat(popular, rows.shape[0], 0)}
    if ease_l2 is not None:
        weights = linear.weights(positives, l2=ease_l2)
        scorers["ease"] = lambda rows: linear.scores(rows, weights)
    found = {}
    for name, score in scorers.items():
        parts = [
            _ranks(
                score(baskets[start:stop]), baskets[start:stop], held_out[start:stop]
            )
            for start in range(0, len(held_out), _LISTS)
            for stop in [start + _LISTS]
        ]
        gains = ranking.gains(np.concatenate(parts), CUTOFF)
        found[name] = {metric: float(of.mean()) for metric, of in gains.items()}
    return found


def _ranks(
    scores: np.ndarray, baskets: scipy.sparse.csr_matrix, held_out: np.ndarray
) -> np.ndarray:
    """Returns how many other items, outside the basket, score at least as high."""
    rows = np.arange(len(held_out))
    ahead = scores >= scores[rows, held_out][:, np.newaxis]
    ahead[baskets.nonzero()] = False
    ahead[rows, held_out] = False
    return np.count_nonzero(ahead, axis=1)


def matrix(
    lists: Sequence[tuple[bytes, Sequence[bytes]]], items: Mapping[bytes, int]
) -> tuple[scipy.sparse.csr_matrix, np.ndarray]:
    """Returns the baskets [L, items] and the held-out columns [L].

    Args:
        lists: the held-out item and the basket of each user, raw ids.
        items: raw item id -> column.
    """
    columns = np.array([items[i] for _, seen in lists for i in seen], np.int64)
    offsets = np.cumsum([0, *(len(seen) for _, seen in lists)])
    ones = np.ones(len(columns), np.float32)
    shape = (len(lists), len(items))
    baskets = scipy.sparse.csr_matrix((ones, columns, offsets), shape=shape)
    return baskets, np.array([items[item] for item, _ in lists], np.int64)
