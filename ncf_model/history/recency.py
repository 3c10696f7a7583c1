"""What the items of a history weigh when its user is scored.

Off by default: a model that is told the order knows more than its rivals, and its
figures are to be compared with theirs only if they are told it too.
"""

import numpy as np


def weights(offsets: np.ndarray, recency: float) -> np.ndarray:
    """Returns the weight of each item, [items] float32, with a mean of 1 per user.

    Args:
        offsets: [users + 1]; a user's items, the oldest first, are those between two.
        recency: r >= 0; the item that lies k items back weighs (k + 1) ** -r before
            the weights of its user are scaled. With 0 all weigh 1.

    Example:
        >>> weights(np.array([0, 3, 3]), 1.0).round(2)  # 1/3, 1/2 and 1, scaled.
        array([0.55, 0.82, 1.64], dtype=float32)
    """
    sizes = np.diff(offsets)
    back = np.repeat(offsets[1:], sizes) - np.arange(offsets[-1]) - 1
    raw = (back + 1.0) ** -recency
    user = np.repeat(np.arange(len(sizes)), sizes)
    mean = np.bincount(user, raw, minlength=len(sizes)) / np.maximum(sizes, 1)
    return (raw / mean[user]).astype(np.float32)
