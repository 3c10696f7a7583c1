"""Rows of unequal length, such as the items of each user, in two flat arrays."""

import dataclasses

import numpy as np

_ROWS_AT_A_TIME = 1 << 13


@dataclasses.dataclass(frozen=True)
class Ragged:
    """Rows of unequal length, end to end.

    Attributes:
        values: [sum of the lengths], the values of row 0, then those of row 1, ...
        offsets: [rows + 1] int64; row r is `values[offsets[r]:offsets[r + 1]]`.
    """

    values: np.ndarray
    offsets: np.ndarray

    @property
    def sizes(self) -> np.ndarray:
        """The length of each row, [rows] int64."""
        return np.diff(self.offsets)

    @property
    def row_of_value(self) -> np.ndarray:
        """The number of the row that each value stands in, [values] int64."""
        return np.repeat(np.arange(len(self.offsets) - 1), self.sizes)

    def where(self, mask: np.ndarray) -> "Ragged":
        """Returns all rows with only those values whose `mask`, [values], is True."""
        kept = np.concatenate([[0], np.cumsum(mask)])
        return Ragged(self.values[mask], kept[self.offsets])

    def take(self, index: np.ndarray) -> "Ragged":
        """Returns the rows number `index`, [R] int64, in that order; any may repeat."""
        sizes, starts = self.sizes[index], self.offsets[index]
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        values = np.empty(offsets[-1], self.values.dtype)
        # Some rows at a time: the places of all values take six times their memory.
        for first in range(0, len(index), _ROWS_AT_A_TIME):
            last = min(first + _ROWS_AT_A_TIME, len(index))
            start, end = offsets[first], offsets[last]
            shift = starts[first:last] - (offsets[first:last] - start)
            places = np.arange(end - start) + np.repeat(shift, sizes[first:last])
            values[start:end] = self.values[places]
        return Ragged(values, offsets)

    def spread(self, index: np.ndarray, size: int) -> "Ragged":
        """Returns `size` rows: row number j becomes row `index[j]`, the rest is empty.

        Args:
            index: [rows] int64, strictly increasing, below `size`.
            size: how many rows the result has.
        """
        sizes = np.zeros(size, np.int64)
        sizes[index] = self.sizes
        return Ragged(self.values, np.concatenate([[0], np.cumsum(sizes)]))

    def then(self, other: "Ragged") -> "Ragged":
        """Returns each row followed by the row of the same number of `other`."""
        both = Ragged(
            np.concatenate([self.values, other.values]),
            np.concatenate([self.offsets, self.offsets[-1] + other.offsets[1:]]),
        )
        rows = len(self.sizes)
        pairs = both.take(
            np.stack([np.arange(rows), rows + np.arange(rows)], 1).ravel()
        )
        return Ragged(pairs.values, pairs.offsets[::2])
