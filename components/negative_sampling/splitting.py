"""Which of a user's interactions train, validate and evaluate."""

import dataclasses

import numpy as np

from ncf_model.config import SamplingConfig


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of unequal length, end to end.

    Attributes:
        values: [sum of the lengths].
        offsets: [rows + 1] int64; row r is `values[offsets[r]:offsets[r + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """[rows] int64, the lengths."""
        return np.diff(self.offsets)

    @property
    def row_of_value(self) -> np.ndarray:
        """[values] int64, the row that each value stands in."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.sizes)

    def where(self, mask: np.ndarray) -> "Ragged":
        """Keeps the values where `mask`, [values] bool, is True."""
        kept = np.concatenate([[0], np.cumsum(mask)])
        return Ragged(self.values[mask], kept[self.offsets])

    def rows(self, index: np.ndarray) -> "Ragged":
        """Gathers the rows `index`, [R] int64, repeats allowed."""
        sizes = self.sizes[index]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        shift = np.repeat(self.offsets[index] - offsets[:-1], sizes)
        return Ragged(self.values[np.arange(offsets[-1]) + shift], offsets)

    def then(self, other: "Ragged") -> "Ragged":
        """Appends each row of `other`, which has as many rows, to the row of this."""
        rows = np.concatenate([self.row_of_value, other.row_of_value])
        order = np.argsort(rows, kind="stable")
        values = np.concatenate([self.values, other.values])[order]
        return Ragged(values, self.offsets + other.offsets)


@dataclasses.dataclass(frozen=True)
class Split:
    """The interactions of a batch of users, by purpose; item indices, by time.

    Attributes:
        positives: what trains.
        validation: what is held out to choose the epoch, then trained on by the refit.
        evaluation: what is held out to judge the model, never trained on.
    """

    positives: Ragged
    validation: Ragged
    evaluation: Ragged


def split(items: Ragged, timestamps: np.ndarray, config: SamplingConfig) -> Split:
    """Splits each user's items.

    `leave_one_out` evaluates the last and validates the one before. Two interactions
    leave one to train and one to evaluate; a single one trains. `temporal` evaluates
    all from `split_time` on and validates the last before it, if another is left to
    train.

    Args:
        items: each user's items by time.
        timestamps: [values of `items`] int64, seconds since 1970; `temporal` only.
        config: names the rule.
    """
    if config.split == "temporal":
        later = timestamps >= config.split_seconds
    else:
        later = (_from_end(items) == 0) & (items.sizes >= 2)[items.row_of_value]
    earlier = items.where(~later)
    last = (_from_end(earlier) == 0) & (earlier.sizes >= 2)[earlier.row_of_value]
    return Split(earlier.where(~last), earlier.where(last), items.where(later))


def _from_end(rows: Ragged) -> np.ndarray:
    """[values] int64, how many values follow in the same row."""
    return rows.offsets[1:][rows.row_of_value] - 1 - np.arange(len(rows.values))
