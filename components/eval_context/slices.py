"""Divides users and items into groups, for each of which quality is reported."""

import numpy as np

from ncf_model import features

ACTIVITY = features.SLICES[features.USER_ACTIVITY]
POPULARITY = features.SLICES[features.ITEM_POPULARITY]
# The shares of all training positives, added up, at which head and torso end.
_HEAD, _TORSO = 0.5, 0.8


def activity(sizes: np.ndarray) -> np.ndarray:
    """Returns each user's quarter by length of history, [U] indices into `ACTIVITY`.

    Users with equal lengths are in the same group, so groups may differ in size.

    Args:
        sizes: [U], how many training positives each user has.
    """
    limits = np.quantile(sizes, [0.25, 0.5, 0.75]) if len(sizes) else np.zeros(3)
    return np.searchsorted(limits, sizes, side="left")


def popularity(counts: np.ndarray) -> np.ndarray:
    """Returns each item's group, [I] indices into `POPULARITY`.

    Of the items in descending order of their counts, the head has half of all training
    positives, the torso the next three tenths, and the tail the rest. Items that never
    train are in the tail.

    Args:
        counts: [I], how often each item is a training positive.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    total = max(counts.sum(), 1)
    groups = np.empty(len(counts), np.int64)
    groups[order] = np.searchsorted([_HEAD * total, _TORSO * total], before, "right")
    groups[counts == 0] = POPULARITY.index("tail")
    return groups
