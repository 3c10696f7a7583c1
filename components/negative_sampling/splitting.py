"""Decides which interactions of a user train, validate and evaluate."""

import dataclasses

import numpy as np

from ncf_model.config import SamplingConfig
from ncf_model.sampling.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Split:
    """The item indices of a batch of users by purpose, each user's by time.

    Attributes:
        positives: the items to train on.
        validation: the items held out to choose the epoch; the refit trains on them.
        evaluation: the items held out to evaluate the model, never trained on.
    """

    positives: Ragged
    validation: Ragged
    evaluation: Ragged


def split(items: Ragged, timestamps: np.ndarray, config: SamplingConfig) -> Split:
    """Splits each user's items.

    `leave_one_out` evaluates a user's last item and validates the item before. Of two
    items one trains and one is evaluated; a single item trains. `temporal` evaluates
    all items from `split_time` on, and validates the last one before, if another item
    is left to train.

    Args:
        items: each user's items by time.
        timestamps: [values of `items`] int64, seconds since 1970; `temporal` only.
        config: says which rule to use.
    """
    if config.split == "temporal":
        later = timestamps >= config.split_seconds
    else:
        later = (_from_end(items) == 0) & (items.sizes >= 2)[items.row_of_value]
    earlier = items.where(~later)
    last = (_from_end(earlier) == 0) & (earlier.sizes >= 2)[earlier.row_of_value]
    return Split(earlier.where(~last), earlier.where(last), items.where(later))


def _from_end(rows: Ragged) -> np.ndarray:
    """Returns how many values follow each value in its row, [values] int64."""
    return rows.offsets[1:][rows.row_of_value] - 1 - np.arange(len(rows.values))
