"""What the trained network says of a few users and items, to hold an export against."""

from typing import Any

import numpy as np

FILE = "probe.json"
_EACH = 8


def make(
    network: Any, *, user_ids: list[bytes], item_ids: list[bytes], tolerance: float
) -> dict[str, Any]:
    """Returns scores of the network itself, before any export; JSON can hold them.

    Args:
        network: trained, "unknown" rows set; gives logits of indices [users, items].
        user_ids: raw ids by index, the vocabulary.
        item_ids: likewise.
        tolerance: how far an exported probability may be from these.

    Returns:
        `user_ids`, `item_ids` and `scores` of the same length, probabilities;
        `tolerance`; `unknown`, an id that is no user's. Bytes that are not UTF-8 are escaped as
        `surrogateescape` does it.
    """
    users, items = (_some(len(ids)) for ids in (user_ids, item_ids))
    pairs = np.stack(np.meshgrid(users, items, indexing="ij")).reshape(2, -1)
    logits = np.asarray(network([pairs[0], pairs[1]]), np.float64)
    unknown = {"unknown user": user_ids, "unknown item": item_ids}
    names = {key: _unused(key.encode(), ids) for key, ids in unknown.items()}

    def text(ids: list[bytes], index: int, name: str) -> str:
        raw = ids[index] if index < len(ids) else names[name]
        return raw.decode("utf-8", "surrogateescape")

    return {
        "user_ids": [text(user_ids, index, "unknown user") for index in pairs[0]],
        "item_ids": [text(item_ids, index, "unknown item") for index in pairs[1]],
        "scores": (1 / (1 + np.exp(-np.clip(logits, -500, 500)))).tolist(),
        "tolerance": tolerance,
        "unknown": names["unknown user"].decode(),
    }


def _some(count: int) -> np.ndarray:
    """Returns up to eight indices, the unknown one, `count`, last."""
    return np.unique(np.linspace(0, count, min(_EACH, count + 1)).astype(np.int64))


def _unused(name: bytes, ids: list[bytes]) -> bytes:
    taken = set(ids)
    while name in taken:
        name += b"?"
    return name
