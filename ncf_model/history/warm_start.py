"""A training that begins where the served model ended, id by id.

The vocabularies of two nights differ: ids come, go and change their places. So what was
learned is carried over by raw id. Known ids keep their rows; a new user begins with the
mean row beside their own history, a new item with the mean rows and the bias of its
popularity; what is gone is dropped. Adam's moments start anew.
"""

import dataclasses
import json
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import config, features
from ncf_model.history import encoder
from ncf_model.history.trained import Trained
from ncf_model.training import data

# Names of a SavedModel's variables, as `history_model.HistoryServingModel` has them.
_SUFFIX = "/.ATTRIBUTES/VARIABLE_VALUE"
_USER_ROWS, _CHOSEN = "user_rows", "chosen"
_HISTORY, _ITEM, _BIAS = "_history", "_item_part/gmf", "_item_part/bias"
_SEEN, _OFFSETS, _SIZES = "_seen", "_seen_offsets", "_history_sizes"
# With fewer validation lists the linear part's weight is not chosen anew.
_ENOUGH_LISTS = 500

Lists = tuple[list[bytes], list[list[bytes]]]


@dataclasses.dataclass(frozen=True)
class Base:
    """What a served model knows, in the order of its own vocabularies.

    Attributes:
        path: of the SavedModel.
        user_ids, item_ids: raw.
        tables: `user` without a last row; [1, factors] where users have none.
        histories: what each user was trained on.
        l2, weight: of its linear part; NaN and 0 without one.
        ials: penalty, weight of what there is not, and share of iALS; None without it.
    """

    path: str
    user_ids: list[bytes]
    item_ids: list[bytes]
    tables: encoder.Tables
    histories: data.Lists
    l2: float
    weight: float
    ials: tuple[float, ...] | None = None


class Start(NamedTuple):
    """How a training begins.

    Attributes:
        base: what it begins from; None begins from random numbers.
        told: what the report says of it; JSON can hold it.
    """

    base: Base | None
    told: dict[str, Any]


def state(trained: Trained) -> dict[str, np.ndarray]:
    """Returns what a SavedModel keeps for the next night beside what it serves by."""
    chosen = [np.nan if trained.l2 is None else trained.l2, trained.weight]
    factored = trained.factored
    if factored is not None:
        chosen += [factored.l2, factored.unobserved, factored.share]
    return {_USER_ROWS: trained.tables.user, _CHOSEN: np.array(chosen, np.float64)}


def read(path: str) -> Base:
    """Reads a SavedModel of users by their history; needs none of its functions.

    Raises:
        ValueError: it is not one, or of an earlier release.
    """
    variables = os.path.join(path, "variables", "variables")
    try:
        reader = tf.train.load_checkpoint(variables)
        values = {
            name: reader.get_tensor(f"{name}{_SUFFIX}")
            for name in (
                *(_USER_ROWS, _CHOSEN, _HISTORY, _ITEM, _BIAS),
                *(_SEEN, _OFFSETS, _SIZES),
            )
        }
    except (tf.errors.OpError, ValueError) as error:
        raise ValueError(
            f"{path} is no model of users by their history that keeps what a warm "
            f"start needs: {str(error).splitlines()[0]}"
        ) from None
    sizes = values[_SIZES][:-1]
    seen = data.Lists(values[_SEEN], values[_OFFSETS][:-1])
    l2, weight, *of_ials = values[_CHOSEN].tolist()
    return Base(
        path=path,
        user_ids=_lines(path, features.USER_VOCABULARY),
        item_ids=_lines(path, features.ITEM_VOCABULARY),
        tables=encoder.Tables(
            values[_USER_ROWS],
            values[_HISTORY],
            # The last row is that of unknown items.
            values[_ITEM][:-1, : values[_HISTORY].shape[1]],
            values[_BIAS][:-1],
        ),
        histories=_first(seen, sizes),
        l2=l2,
        weight=weight,
        ials=tuple(of_ials) or None,
    )


def _lines(path: str, name: str) -> list[bytes]:
    with tf.io.gfile.GFile(os.path.join(path, "assets", name), "rb") as f:
        return f.read().removesuffix(b"\n").split(b"\n")


def _first(lists: data.Lists, sizes: np.ndarray) -> data.Lists:
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
    factors: int,
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
        factors: width of this night's tables.
        user_ids, item_ids: this night's vocabularies.
    """
    if not path:
        return _cold("there is no served model of other data yet"), lists
    try:
        base = read(path)
    except ValueError as error:
        return _cold(str(error)), lists
    width = base.tables.history.shape[1]
    if width != factors:
        return _cold(f"its tables have {width} columns, these {factors}"), lists
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
    base: Base, user_ids: Sequence[bytes], item_ids: Sequence[bytes]
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

    def __init__(self, base: Base) -> None:
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


def carry(
    base: Base,
    fresh: encoder.Tables,
    *,
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
) -> encoder.Tables:
    """Returns `fresh` tables with what the base knows of their ids.

    Args:
        base: the served model.
        fresh: of `encoder.start`, of the same width; `user` with a last row.
        user_ids, item_ids: raw ids, in the order of the rows of `fresh`.
    """
    new, old = _places(item_ids, base.item_ids)
    history, item = (
        _carried(getattr(base.tables, name), getattr(fresh, name), new, old)
        for name in ("history", "item")
    )
    bias = fresh.bias.copy()
    if len(new):  # The level of biases moves in training; popularity tells the rest.
        bias += np.mean(base.tables.bias[old] - fresh.bias[new])
    bias[new] = base.tables.bias[old]
    user = fresh.user
    if len(fresh.user) > 1 and len(base.tables.user) > 1:
        new, old = _places(user_ids, base.user_ids)
        user = np.repeat(
            base.tables.user.mean(axis=0, keepdims=True), len(fresh.user), axis=0
        )
        user[new] = base.tables.user[old]
        user[-1] = 0  # That of rows that fill a batch up.
    return encoder.Tables(
        *(np.asarray(table, np.float32) for table in (user, history, item, bias))
    )


def _carried(
    before: np.ndarray, fresh: np.ndarray, new: np.ndarray, old: np.ndarray
) -> np.ndarray:
    """Returns the mean of the rows before, and in known places the row itself.

    A new row is the mean and its own small random start, so that no two are alike.
    """
    table = before.mean(axis=0) + fresh
    table[new] = before[old]
    return table


def _places(
    now: Sequence[bytes], before: Sequence[bytes]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the rows now, and those before, of the ids that both have."""
    rows = {raw: row for row, raw in enumerate(before)}
    pairs = [(row, rows[raw]) for row, raw in enumerate(now) if raw in rows]
    new, old = np.array(pairs, np.int64).reshape(-1, 2).T
    return new, old


def settings(
    train: config.TrainConfig, history: config.HistoryConfig, base: Base, lists: int
) -> tuple[config.TrainConfig, config.HistoryConfig]:
    """Returns the settings of a training that begins warm.

    Fewer epochs, at a smaller rate; the linear part's penalty and iALS's settings are
    the base's, and the weight is one near the base's, or, with few lists to choose by,
    that very one.

    Args:
        train: as configured.
        history: resolved.
        base: what it begins from.
        lists: that judge it.
    """
    rate = history.learning_rate * train.warm_rate
    warm: dict[str, Any] = {"learning_rate": rate}
    if np.isfinite(base.l2):
        warm["linear_l2"] = (base.l2,)
        weights = history.linear_weights
        near = int(np.argmin(np.abs(np.array(weights) - base.weight)))
        around = weights[max(0, near - 1) : near + 2]
        warm["linear_weights"] = around if lists >= _ENOUGH_LISTS else (base.weight,)
    if history.has_ials and base.ials is not None:
        names = ("ials_l2", "ials_unobserved", "ials_shares")
        warm |= {name: (value,) for name, value in zip(names, base.ials, strict=True)}
    return (
        train.model_copy(update={"epochs": train.warm_epochs}),
        history.model_copy(update=warm),
    )
