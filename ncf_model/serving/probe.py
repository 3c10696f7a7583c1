"""Scores of a few users and items from the trained network, to check an export."""

from collections.abc import Callable
from typing import Any

import numpy as np

from ncf_model.history import recency

FILE = "probe.json"
_EACH = 8


def make(
    logits: Callable[[np.ndarray, np.ndarray], np.ndarray],
    *,
    user_ids: list[bytes],
    item_ids: list[bytes],
    tolerance: float,
) -> dict[str, Any]:
    """Returns scores of the network before its export; JSON can hold them.

    Args:
        logits: returns the logits [n] of user indices [n] and item indices [n]; the
            index after the last one stands for what is unknown.
        user_ids: raw ids of users by index.
        item_ids: raw ids of items by index.
        tolerance: how far a probability of the export may be from the returned ones.

    Returns:
        `user_ids`, `item_ids` and `scores`, which are probabilities, all of the same
        length; `tolerance`; and `unknown`, an id that no user has. Bytes that are not
        UTF-8 are escaped in Python's way `surrogateescape`.
    """
    users, items = (_some(len(ids)) for ids in (user_ids, item_ids))
    pairs = np.stack(np.meshgrid(users, items, indexing="ij")).reshape(2, -1)
    said = np.asarray(logits(pairs[0], pairs[1]), np.float64)
    unknown = {"unknown user": user_ids, "unknown item": item_ids}
    names = {key: _unused(key.encode(), ids) for key, ids in unknown.items()}

    def text(ids: list[bytes], index: int, name: str) -> str:
        raw = ids[index] if index < len(ids) else names[name]
        return raw.decode("utf-8", "surrogateescape")

    return {
        "user_ids": [text(user_ids, index, "unknown user") for index in pairs[0]],
        "item_ids": [text(item_ids, index, "unknown item") for index in pairs[1]],
        "scores": (1 / (1 + np.exp(-np.clip(said, -500, 500)))).tolist(),
        "tolerance": tolerance,
        "unknown": names["unknown user"].decode(),
    }


def linear(trained: Any, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Returns what the linear part of `ncf_model.history` adds to logits, [n].

    Args:
        trained: `history.trained.Trained`.
        users: indices [n]; for a user without a history the result is 0.
        items: indices [n]; for an item that the linear part does not know it is 0.
    """
    added = np.zeros(len(users))
    weights, histories = trained.linear, trained.histories
    if weights is None:
        return added
    faded = recency.weights(histories.offsets, trained.settings.recency)
    for place, (user, item) in enumerate(zip(users, items, strict=True)):
        if user < len(histories.sizes) and item < len(weights):
            own = slice(histories.offsets[user], histories.offsets[user + 1])
            taken = histories.values[own]
            known = taken < len(weights)
            added[place] = faded[own][known] @ weights[taken[known], item]
    return added


def _some(count: int) -> np.ndarray:
    """Returns up to eight indices below `count`, and `count`, which means unknown."""
    return np.unique(np.linspace(0, count, min(_EACH, count + 1)).astype(np.int64))


def _unused(name: bytes, ids: list[bytes]) -> bytes:
    taken = set(ids)
    while name in taken:
        name += b"?"
    return name
