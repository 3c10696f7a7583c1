"""A training that begins where the served model ended, id by id.

The vocabularies of two nights differ: ids come, go and change their places. So what was
learned is carried over by raw id. Known ids keep their rows; a new user begins with the
mean row beside their own history, a new item with the mean rows and the bias of its
popularity; what is gone is dropped. Adam's moments start anew.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np

from ncf_model import config, features
from ncf_model.history import encoder
from ncf_model.history.trained import Trained
from ncf_model.training import data, known

# Names of a SavedModel's variables, as `history_model.HistoryServingModel` has them.
_USER_ROWS, _CHOSEN = "user_rows", "chosen"
_HISTORY, _ITEM, _BIAS = "_history", "_item_part/gmf", "_item_part/bias"
_SEEN, _OFFSETS, _SIZES = "_seen", "_seen_offsets", "_history_sizes"
# With fewer validation lists the linear part's weight is not chosen anew.
_ENOUGH_LISTS = 500


@dataclasses.dataclass(frozen=True)
class Base(known.Known):
    """What a served model of users by their history knows.

    Attributes:
        tables: `user` without a last row; [1, factors] where users have none.
        l2, weight: of its linear part; NaN and 0 without one.
        ials: penalty, weight of what there is not, and share of iALS; None without it.
    """

    tables: encoder.Tables
    l2: float
    weight: float
    ials: tuple[float, ...] | None = None


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
    seen = data.Lists(values[_SEEN], values[_OFFSETS][:-1])
    l2, weight, *of_ials = values[_CHOSEN].tolist()
    return Base(
        path=path,
        user_ids=known.lines(path, features.USER_VOCABULARY),
        item_ids=known.lines(path, features.ITEM_VOCABULARY),
        tables=encoder.Tables(
            values[_USER_ROWS],
            values[_HISTORY],
            # The last row is that of unknown items.
            values[_ITEM][:-1, : values[_HISTORY].shape[1]],
            values[_BIAS][:-1],
        ),
        histories=known.first(seen, sizes),
        l2=l2,
        weight=weight,
        ials=tuple(of_ials) or None,
    )


def differs(base: Base, history: config.HistoryConfig) -> str:
    """Returns what keeps the base's tables from being carried over; "" if nothing."""
    width = base.tables.history.shape[1]
    if width == history.factors:
        return ""
    return f"its tables have {width} columns, these {history.factors}"


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
    new, old = known.places(item_ids, base.item_ids)
    history, item = (
        known.carried(getattr(base.tables, name), getattr(fresh, name), new, old)
        for name in ("history", "item")
    )
    bias = fresh.bias.copy()
    if len(new):  # The level of biases moves in training; popularity tells the rest.
        bias += np.mean(base.tables.bias[old] - fresh.bias[new])
    bias[new] = base.tables.bias[old]
    user = fresh.user
    if len(fresh.user) > 1 and len(base.tables.user) > 1:
        new, old = known.places(user_ids, base.user_ids)
        user = np.repeat(
            base.tables.user.mean(axis=0, keepdims=True), len(fresh.user), axis=0
        )
        user[new] = base.tables.user[old]
        user[-1] = 0  # That of rows that fill a batch up.
    return encoder.Tables(
        *(np.asarray(table, np.float32) for table in (user, history, item, bias))
    )


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
