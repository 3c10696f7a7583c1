"""Groups of users and of items, by which quality is told apart."""

import numpy as np

from ncf_model import features

ACTIVITY = features.SLICES[features.USER_ACTIVITY]
POPULARITY = features.SLICES[features.ITEM_POPULARITY]
# Cumulative shares of all training positives at which head and torso end.
_HEAD, _TORSO = 0.5, 0.8


def activity(sizes: np.ndarray) -> np.ndarray:
    """Returns each user's quarter by length of history, [U] indices into `ACTIVITY`.

    Equal lengths are in one group, the lower, so the groups may differ in size.

    Args:
        sizes: [U] how many training positives each user has.
    """
    limits = np.quantile(sizes, [0.25, 0.5, 0.75]) if len(sizes) else np.zeros(3)
    return np.searchsorted(limits, sizes, side="left")


def popularity(counts: np.ndarray) -> np.ndarray:
    """Returns each item's group, [I] indices into `POPULARITY`.

    Items by descending count: the head together has half of all training positives,
    the torso the next three tenths, the tail the rest, and all that never train.

    Args:
        counts: [I] how often each item is a training positive.
    """
    order = np.argsort(-counts, kind="stable")
    before = np.cumsum(counts[order]) - counts[order]
    total = max(counts.sum(), 1)
    groups = np.empty(len(counts), np.int64)
    groups[order] = np.searchsorted([_HEAD * total, _TORSO * total], before, "right")
    groups[counts == 0] = POPULARITY.index("tail")
    return groups
