"""What was trained says itself of a few users and items, to hold an export against."""

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
    """Returns scores of the network itself, before any export; JSON can hold them.

    Args:
        logits: of pairs of indices, users [n] and items [n]; the last of either is the
            unknown one's.
        user_ids: raw ids of users by index.
        item_ids: raw ids of items by index.
        tolerance: how far an exported probability may be from these.

    Returns:
        `user_ids`, `item_ids` and `scores` of the same length, probabilities;
        `tolerance`; `unknown`, an id that is no user's. Bytes that are not UTF-8 are
        escaped as `surrogateescape` does it.
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
    """Returns [n], what the linear part of `ncf_model.history` adds to the logits.

    Args:
        trained: `history.trained.Trained`.
        users: indices [n]; one without a history gets 0.
        items: indices [n]; an item that the linear part does not know gets 0.
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
    """Returns up to eight indices, the unknown one, `count`, last."""
    return np.unique(np.linspace(0, count, min(_EACH, count + 1)).astype(np.int64))


def _unused(name: bytes, ids: list[bytes]) -> bytes:
    taken = set(ids)
    while name in taken:
        name += b"?"
    return name
