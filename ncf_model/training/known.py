"""Reads a served model, and decides whether a training may begin with its tables.

The vocabularies of two nights differ: ids come, go and change their places. Therefore
rows are carried over by raw id. Known ids keep their rows, new ids begin with the mean
row, and rows of ids that are gone are dropped.
"""

import dataclasses
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data
from ncf_model.training.training_history import WarmStart

# The end of the names that variables have in a SavedModel's checkpoint.
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"

RawLists = tuple[list[bytes], list[list[bytes]]]


@dataclasses.dataclass(frozen=True)
class Known:
    """The parts that every served model has, in the order of its own vocabularies.

    Attributes:
        path: of the SavedModel.
        user_ids, item_ids: the raw ids of the vocabularies.
        histories: the items that the model was trained on, for each user.
    """

    path: str
    user_ids: list[bytes]
    item_ids: list[bytes]
    histories: Ragged


KnownModel = TypeVar("KnownModel", bound=Known)


class Start(NamedTuple):
    """How a training begins.

    Attributes:
        base: the served model with whose tables the training begins, a `Known`; None
            begins with random numbers.
        told: what the report says of the start; None where no warm start was asked
            for.
    """

    base: Any
    told: WarmStart | None


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
    """Reads each variable from the file only when it is asked for."""

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


def first(lists: Ragged, sizes: np.ndarray) -> Ragged:
    """Returns the first `sizes` values of each row."""
    offsets = np.concatenate([[0], np.cumsum(sizes, dtype=np.int64)])
    within = np.arange(offsets[-1]) - np.repeat(offsets[:-1], sizes)
    return Ragged(lists.values[np.repeat(lists.offsets[:-1], sizes) + within], offsets)


def begin(
    path: str | None,
    interactions: data.Interactions,
    lists: RawLists,
    *,
    read: Callable[[str], KnownModel],
    differs: Callable[[KnownModel], str],
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
    refit: bool,
) -> tuple[Start, RawLists]:
    """Returns how the training begins, and the validation lists that may be used.

    A validation list whose item the served model was trained on shows what that model
    remembers, not what it foresees, so the list is left out. If the served model was
    trained on an item that is held out for evaluation, the figures of the run would be
    worthless, so the training begins with random numbers. It also does if the model was
    trained on all of this run's data already: no model trains twice on the same data.

    Args:
        path: of the served model; None if there is none.
        interactions: the split `train` of this run.
        lists: users, and candidates with the held-out one first.
        read: reads a served model of the right kind; raises ValueError for any other.
        differs: returns why the tables of a model cannot be carried over; "" if they
            can.
        user_ids, item_ids: the vocabularies of this run.
        refit: whether this training ends with the validation items, too.
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
    if why := _unfair(pairs, interactions, item_ids, refit=refit):
        return _cold(why), lists
    users, candidates = lists
    kept = [
        row
        for row, (user, items) in enumerate(zip(users, candidates, strict=True))
        if not pairs.has(user, items[0])
    ]
    told = WarmStart(
        base=path,
        **_counts(base, user_ids, item_ids),
        validation_lists=len(kept),
        validation_lists_it_had_trained_on=len(users) - len(kept),
    )
    logging.info("Warm start: %s", told)
    return Start(base, told), (
        [users[row] for row in kept],
        [candidates[row] for row in kept],
    )


def _cold(why: str) -> Start:
    logging.warning("No warm start: %s.", why)
    return Start(None, WarmStart(cold_because=why))


def _unfair(
    pairs: "_Pairs",
    interactions: data.Interactions,
    item_ids: Sequence[bytes],
    *,
    refit: bool,
) -> str:
    """Returns why a training may not begin with a model, by its data; "" if it may."""
    leaked = pairs.among_held_out(interactions, item_ids)
    if leaked:
        return (
            f"it was trained on {leaked} of the items that are now held out for "
            "evaluation, as after a correction of older days"
        )
    learned = interactions.positives
    if refit:
        learned = learned.then(interactions.validation_items)
    if pairs.has_all(learned, interactions.user_ids, item_ids):
        return "it was trained on all of these interactions already"
    return ""


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
    """The pairs of user and item that a served model was trained on."""

    def __init__(self, base: Known) -> None:
        self._base = base
        self._rows = {raw: row for row, raw in enumerate(base.user_ids)}
        self._items = {raw: column for column, raw in enumerate(base.item_ids)}

    def has(self, user: bytes, item: bytes) -> bool:
        """Returns whether the served model was trained on the pair."""
        row, column = self._rows.get(user), self._items.get(item)
        if row is None or column is None:
            return False
        histories = self._base.histories
        start, end = histories.offsets[row : row + 2]
        return bool(np.any(histories.values[start:end] == column))

    def has_all(
        self, lists: Ragged, user_ids: Sequence[bytes], item_ids: Sequence[bytes]
    ) -> bool:
        """Returns whether the served model was trained on every pair.

        Args:
            lists: items of each user, as places in `item_ids`.
            user_ids: the user of each list.
            item_ids: raw ids.
        """
        rows = np.array([self._rows.get(raw, -1) for raw in user_ids], np.int64)
        columns = np.array([self._items.get(raw, -1) for raw in item_ids], np.int64)
        users, items = rows[lists.row_of_value], columns[lists.values]
        if min(users.min(initial=0), items.min(initial=0)) < 0:
            return False
        known, count = self._base.histories, len(self._items)
        pairs = known.row_of_value * count + known.values
        return bool(np.isin(users * count + items, pairs).all())

    def among_held_out(
        self, interactions: data.Interactions, item_ids: Sequence[bytes]
    ) -> int:
        """Returns how many evaluation items of this run the served model trained on."""
        held_out = interactions.eval_items
        users = np.repeat(np.arange(len(held_out.sizes)), held_out.sizes)
        return sum(
            self.has(interactions.user_ids[user], item_ids[item])
            for user, item in zip(users, held_out.values, strict=True)
        )


def places(
    now: Sequence[bytes], before: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns, for the ids in both lists, their places in `now` and in `before`."""
    rows = {raw: row for row, raw in enumerate(before)}
    pairs = [(row, rows[raw]) for row, raw in enumerate(now) if raw in rows]
    new, old = np.array(pairs, np.int64).reshape(-1, 2).T
    return new, old


def carried(
    before: np.ndarray, fresh: np.ndarray, new: np.ndarray, old: np.ndarray
) -> np.ndarray:
    """Returns a table with the rows of an earlier one.

    A row without an earlier one is the mean row plus its own small random start, so
    that no two are equal.

    Args:
        before: the earlier table.
        fresh: a table of small random numbers.
        new: places of known rows in the result.
        old: places of the same rows in `before`.
    """
    table = before.mean(axis=0) + fresh
    table[new] = before[old]
    return table
