"""Histories as a matrix, and what their items weigh when a user is scored.

Recency is off by default: a model that is told the order of the items knows more than
the baselines. The figures may be compared only if the baselines are told the order too.
"""

import numpy as np
import scipy.sparse

from ncf_model.sampling.ragged import Ragged


def weights(offsets: np.ndarray, recency: float) -> np.ndarray:
    """Returns the weight of each item, [items] float32, with a mean of 1 per user.

    Args:
        offsets: [users + 1]; user u has the items from `offsets[u]` to before
            `offsets[u + 1]`, the oldest first.
        recency: r >= 0. Before the weights of a user are scaled, the item that lies k
            items back weighs (k + 1) ** -r. With r = 0 all items weigh 1.

    Example:
        >>> weights(np.array([0, 3, 3]), 1.0).round(2)  # 1/3, 1/2 and 1, scaled.
        array([0.55, 0.82, 1.64], dtype=float32)
    """
    if not recency:
        return np.ones(offsets[-1], np.float32)
    sizes = np.diff(offsets)
    back = np.repeat(offsets[1:], sizes) - np.arange(offsets[-1]) - 1
    raw = (back + 1.0) ** -recency
    user = np.repeat(np.arange(len(sizes)), sizes)
    mean = np.bincount(user, raw, minlength=len(sizes)) / np.maximum(sizes, 1)
    return (raw / mean[user]).astype(np.float32)


def user_item_matrix(
    lists: Ragged, num_items: int, recent: float = 0.0
) -> scipy.sparse.csr_matrix:
    """Returns [users, num_items] with a weight for each item that a user has.

    Args:
        lists: the items of each user, the oldest first.
        num_items: columns.
        recent: `HistoryConfig.recency`. With 0 each item weighs 1; otherwise later
            items weigh more, with a mean of 1 per user.
    """
    values = weights(lists.offsets, recent)
    shape = (len(lists.sizes), num_items)
    return scipy.sparse.csr_matrix((values, lists.values, lists.offsets), shape=shape)
