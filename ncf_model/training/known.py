"""What a served model knows, and whether a training may begin where that ended.

The vocabularies of two nights differ: ids come, go and change their places. So what was
learned is carried over by raw id: known ids keep their rows, new ones begin with the
mean, what is gone is dropped.
"""

import dataclasses
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model.training import data

# Of a SavedModel's variables.
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

Lists = tuple[list[bytes], list[list[bytes]]]


@dataclasses.dataclass(frozen=True)
class Known:
    """What every served model knows, in the order of its own vocabularies.

    Attributes:
        path: of the SavedModel.
        user_ids, item_ids: raw.
        histories: what each user was trained on.
    """

    path: str
    user_ids: list[bytes]
    item_ids: list[bytes]
    histories: data.Lists


KnownModel = TypeVar("KnownModel", bound=Known)


class Start(NamedTuple):
    """How a training begins.

    Attributes:
        base: what it begins from, a `Known`; None begins from random numbers.
        told: what the report says of it; JSON can hold it.
    """

    base: Any
    told: dict[str, Any]


def variables(path: str) -> Mapping[str, np.ndarray]:
    """Returns a SavedModel's variables by the names of its attributes.

    Raises:
        ValueError: there is no such model.
    """
    try:
        reader = tf.train.load_checkpoint(os.path.join(path, "variables", "variables"))
        shapes = reader.get_variable_to_shape_map()
        return _Variables(reader, {name.removesuffix(_SUFFIX) for name in shapes})
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(str(error).splitlines()[0]) from None


class _Variables(Mapping[str, np.ndarray]):
    """Reads what is asked for."""

    def __init__(self, reader: Any, names: set[str]) -> None:
        self._reader, self._names = reader, names

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._names:
            raise KeyError(name)
        return np.asarray(self._reader.get_tensor(f"{name}{_SUFFIX}"))

    def __iter__(self) -> Any:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def lines(path: str, name: str) -> list[bytes]:
    """Returns the raw ids of a SavedModel's vocabulary, in its order."""
    with tf.io.gfile.GFile(os.path.join(path, "assets", name), "rb") as f:
        return f.read().removesuffix(b"\n").split(b"\n")


def first(lists: data.Lists, sizes: np.ndarray) -> data.Lists:
    """Returns the first values of each list."""
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    return data.Lists(
        lists.values[np.repeat(lists.offsets[:-1], sizes) + within], offsets
    )


def begin(
    path: str | None,
    interactions: data.Interactions,
    lists: Lists,
    *,
    read: Callable[[str], KnownModel],
    differs: Callable[[KnownModel], str],
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
) -> tuple[Start, Lists]:
    """Returns how the training begins, and the validation lists that may judge it.

    A list whose item the base trained on would judge what is remembered, not what is
    foreseen, so it does not count. A held-out item of the evaluation that the base
    trained on would make the figures of the run worthless: it begins cold.

    Args:
        path: of the served model; None if there is none.
        interactions: of this night.
        lists: users, and candidates with the held-out one first.
        read: reads a model of this kind; ValueError where it is none.
        differs: says what keeps its tables from being carried over; "" if nothing.
        user_ids, item_ids: this night's vocabularies.
    """
    if not path:
        return _cold("there is no served model of other data yet"), lists
    try:
        base = read(path)
    except ValueError as error:
        return _cold(str(error)), lists
    if why := differs(base):
        return _cold(why), lists
    pairs = _Pairs(base)
    leaked = pairs.among_held_out(interactions, item_ids)
    if leaked:
        return _cold(
            f"it was trained on {leaked} of the items that are now held out for "
            "evaluation, as after a correction of older days"
        ), lists
    users, candidates = lists
    kept = [
        row
        for row, (user, items) in enumerate(zip(users, candidates, strict=True))
        if not pairs.has(user, items[0])
    ]
    told = {"from": path, **_counts(base, user_ids, item_ids)}
    told["validation_lists"] = len(kept)
    told["validation_lists_it_had_trained_on"] = len(users) - len(kept)
    logging.info("Warm start: %s", json.dumps(told))
    return Start(base, told), (
        [users[row] for row in kept],
        [candidates[row] for row in kept],
    )


def _cold(why: str) -> Start:
    logging.warning("No warm start: %s.", why)
    return Start(None, {"cold_because": why})


def _counts(
    base: Known, user_ids: Sequence[bytes], item_ids: Sequence[bytes]
) -> dict[str, int]:
    counts = {}
    for kind, before, now in (
        ("users", base.user_ids, user_ids),
        ("items", base.item_ids, item_ids),
    ):
        known = len(set(before).intersection(now))
        counts[f"known_{kind}"] = known
        counts[f"new_{kind}"] = len(now) - known
        counts[f"gone_{kind}"] = len(before) - known
    return counts


class _Pairs:
    """Tells what a base was trained on."""

    def __init__(self, base: Known) -> None:
        self._base = base
        self._rows = {raw: row for row, raw in enumerate(base.user_ids)}
        self._items = {raw: column for column, raw in enumerate(base.item_ids)}

    def has(self, user: bytes, item: bytes) -> bool:
        """Returns whether the base was trained on the pair."""
        row, column = self._rows.get(user), self._items.get(item)
        if row is None or column is None:
            return False
        histories = self._base.histories
        start, end = histories.offsets[row : row + 2]
        return bool(np.any(histories.values[start:end] == column))

    def among_held_out(
        self, interactions: data.Interactions, item_ids: Sequence[bytes]
    ) -> int:
        """Returns how many of this night's evaluation items the base trained on."""
        held_out = interactions.eval_items
        users = np.repeat(np.arange(len(held_out.sizes)), held_out.sizes)
        return sum(
            self.has(interactions.user_ids[user], item_ids[item])
            for user, item in zip(users, held_out.values, strict=True)
        )


def places(
    now: Sequence[bytes], before: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows now, and those before, of the ids that both have."""
    rows = {raw: row for row, raw in enumerate(before)}
    pairs = [(row, rows[raw]) for row, raw in enumerate(now) if raw in rows]
    new, old = np.array(pairs, np.int64).reshape(-1, 2).T
    return new, old


def carried(
    before: np.ndarray, fresh: np.ndarray, new: np.ndarray, old: np.ndarray
) -> np.ndarray:
    """Returns the mean of the rows before, and in known places the row itself.

    A new row is the mean and its own small random start, so that no two are alike.
    """
    table = before.mean(axis=0) + fresh
    table[new] = before[old]
    return table
