"""The data that all trials train and are evaluated on: read once, then shared."""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data, validation

_LISTS = (
    "positives",
    "validation_items",
    "eval_items",
    "negatives",
    "refit_negatives",
)


@dataclasses.dataclass(frozen=True)
class Shared:
    """The data of a search.

    Attributes:
        interactions: the split `train`.
        candidates: the validation lists, by index.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
    """

    interactions: data.Interactions
    candidates: validation.Candidates
    num_users: int
    num_items: int

    def arrays(self) -> dict[str, np.ndarray]:
        """Returns the data as arrays, by name."""
        ids = self.interactions.user_ids
        found = {
            "sizes": np.array([self.num_users, self.num_items]),
            "user_index": self.interactions.user_index,
            "user_ids": np.frombuffer(b"".join(ids), np.uint8),
            "user_id_sizes": np.array([len(one) for one in ids], np.int64),
        }
        for name, array in self.candidates._asdict().items():
            found[f"candidates.{name}"] = array
        for name in _LISTS:
            lists = getattr(self.interactions, name)
            if lists is not None:
                found[f"{name}.values"] = lists.values
                found[f"{name}.offsets"] = lists.offsets
        return found

    def save(self, path: pathlib.Path) -> None:
        """Writes a file for other processes of this machine."""
        with open(path, "wb") as file:
            # mypy believes that a name could be `allow_pickle`.
            arrays: Any = self.arrays()
            np.savez(file, **arrays)


def load(path: pathlib.Path) -> Shared:
    """Reads what `Shared.save` wrote."""
    with np.load(path, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    ends = np.cumsum(arrays["user_id_sizes"])
    text = arrays["user_ids"].tobytes()
    lists = {
        name: Ragged(arrays[f"{name}.values"], arrays[f"{name}.offsets"])
        for name in _LISTS
        if f"{name}.values" in arrays
    }
    users, items = (int(size) for size in arrays["sizes"])
    return Shared(
        data.Interactions(
            user_ids=[
                text[end - size : end]
                for end, size in zip(ends, arrays["user_id_sizes"], strict=True)
            ],
            user_index=arrays["user_index"],
            **lists,
        ),
        validation.Candidates(
            *(arrays[f"candidates.{name}"] for name in validation.Candidates._fields)
        ),
        users,
        items,
    )
