"""Begins the training of users by their history with the tables of the served model.

The vocabularies of two nights differ: ids come, go and change their places. Therefore
rows are carried over by raw id. A known id keeps its row. A new user begins with the
mean row, a new item with the mean rows and the bias of its popularity. Rows of ids that
are gone are dropped. Adam's moments start anew.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ncf_model import config, features
from ncf_model.history import encoder
from ncf_model.history.trained import Trained
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import known

# Names of a SavedModel's variables, as `history_model.HistoryServingModel` has them.
_USER_ROWS, _CHOSEN = "user_rows", "chosen"
_HISTORY, _ITEM, _BIAS = "_history", "_item_part/gmf", "_item_part/bias"
_SEEN, _OFFSETS, _SIZES = "_seen", "_seen_offsets", "_history_sizes"
# With fewer validation lists than this the linear part's weight is not chosen anew.
_ENOUGH_LISTS = 500


@dataclasses.dataclass(frozen=True)
class HistoryBase(known.Known):
    """The parts of a served model of users by their history.

    Attributes:
        tables: of the deep part; `user` has no last row for places without a user, and
            is [1, factors] where users have no rows.
        l2: the penalty of the linear part; NaN without that part.
        weight: the weight of the linear part; 0 without that part.
        ials: of iALS the penalty, the weight of pairs that did not occur, and the
            share; None without iALS.
    """

    tables: encoder.Tables
    l2: float
    weight: float
    ials: tuple[float, ...] | None = None


def state(trained: Trained) -> dict[str, np.ndarray]:
    """Returns what a SavedModel holds only for the warm start of a later training."""
    chosen = [np.nan if trained.l2 is None else trained.l2, trained.weight]
    factored = trained.factored
    if factored is not None:
        chosen += [factored.l2, factored.unobserved, factored.share]
    return {_USER_ROWS: trained.tables.user, _CHOSEN: np.array(chosen, np.float64)}


def read(path: str) -> HistoryBase:
    """Reads the variables of a SavedModel of users by their history.

    Raises:
        ValueError: `path` holds no such model, or one of an earlier release.
    """
    names = (_USER_ROWS, _CHOSEN, _HISTORY, _ITEM, _BIAS, _SEEN, _OFFSETS, _SIZES)
    try:
        variables = known.variables(path)
        values = {name: variables[name] for name in names}
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is no model of users by their history that keeps what a warm "
            f"start needs: {error}"
        ) from None
    sizes = values[_SIZES][:-1]
    seen = Ragged(values[_SEEN], values[_OFFSETS][:-1])
    l2, weight, *of_ials = values[_CHOSEN].tolist()
    return HistoryBase(
        path=path,
        user_ids=known.lines(path, features.USER_VOCABULARY),
        item_ids=known.lines(path, features.ITEM_VOCABULARY),
        tables=encoder.Tables(
            values[_USER_ROWS],
            values[_HISTORY],
            # The last row belongs to unknown items.
            values[_ITEM][:-1, : values[_HISTORY].shape[1]],
            values[_BIAS][:-1],
        ),
        histories=known.first(seen, sizes),
        l2=l2,
        weight=weight,
        ials=tuple(of_ials) or None,
    )


def differs(base: HistoryBase, history: config.HistoryConfig) -> str:
    """Returns why the tables of `base` cannot be carried over; "" if they can."""
    width = base.tables.history.shape[1]
    if width == history.factors:
        return ""
    return f"its tables have {width} columns, these {history.factors}"


def carry(
    base: HistoryBase,
    fresh: encoder.Tables,
    *,
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
) -> encoder.Tables:
    """Returns `fresh` tables with the rows of `base` for all ids that it knows.

    Args:
        base: the served model.
        fresh: tables as `encoder.start` returns them, as wide as those of `base`.
        user_ids, item_ids: the raw ids of the rows of `fresh`, in order.
    """
    new, old = known.places(item_ids, base.item_ids)
    history, item = (
        known.carried(getattr(base.tables, name), getattr(fresh, name), new, old)
        for name in ("history", "item")
    )
    bias = fresh.bias.copy()
    if len(new):  # Training shifts all biases; popularity gives the differences.
        bias += np.mean(base.tables.bias[old] - fresh.bias[new])
    bias[new] = base.tables.bias[old]
    user = fresh.user
    if len(fresh.user) > 1 and len(base.tables.user) > 1:
        new, old = known.places(user_ids, base.user_ids)
        user = np.repeat(
            base.tables.user.mean(axis=0, keepdims=True), len(fresh.user), axis=0
        )
        user[new] = base.tables.user[old]
        user[-1] = 0  # The row for places without a user.
    return encoder.Tables(
        *(np.asarray(table, np.float32) for table in (user, history, item, bias))
    )


def settings(
    train: config.TrainConfig,
    history: config.HistoryConfig,
    base: HistoryBase,
    lists: int,
) -> tuple[config.TrainConfig, config.HistoryConfig]:
    """Returns the settings of a training that begins warm.

    There are fewer epochs, with a smaller learning rate. The penalty of the linear part
    and the settings of iALS are those of `base`. The weight of the sum is chosen near
    that of `base` or, with few validation lists, is the same.

    Args:
        train: the training as configured.
        history: the network, without any `auto`.
        base: the served model, with whose tables the training begins.
        lists: how many validation lists there are.
    """
    rate = history.learning_rate * train.warm_rate
    warm: dict[str, Any] = {"learning_rate": rate}
    if np.isfinite(base.l2):
        warm["linear_l2"] = (base.l2,)
    if np.isfinite(base.l2) or base.ials is not None:
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
