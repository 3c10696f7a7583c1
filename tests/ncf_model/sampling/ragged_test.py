"""Rows of unequal length: gathered, filtered, spread and joined."""

import numpy as np
import pytest

from ncf_model.sampling import ragged
from ncf_model.sampling.ragged import Ragged

ROWS = Ragged(np.array([5, 6, 7, 8], np.int32), np.array([0, 2, 2, 4]))


def _lists(rows):
    bounds = zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
    return [rows.values[start:end].tolist() for start, end in bounds]


@pytest.mark.parametrize("at_a_time", [1, 3, 4, 5])
def test_rows_are_taken_in_any_order_with_repeats(monkeypatch, at_a_time):
    monkeypatch.setattr(ragged, "_ROWS_AT_A_TIME", at_a_time)
    taken = ROWS.take(np.array([2, 1, 0, 2]))
    assert _lists(taken) == [[7, 8], [], [5, 6], [7, 8]]
    assert taken.values.dtype == np.int32
    assert ROWS.take(np.array([], np.int64)).offsets.tolist() == [0]


def test_values_are_kept_where_true():
    assert _lists(ROWS.where(np.array([True, False, False, True]))) == [[5], [], [8]]


def test_the_row_of_each_value():
    assert ROWS.sizes.tolist() == [2, 0, 2]
    assert ROWS.row_of_value.tolist() == [0, 0, 2, 2]


def test_rows_are_joined_to_rows():
    other = Ragged(np.array([1, 2], np.int32), np.array([0, 0, 1, 2]))
    assert _lists(ROWS.then(other)) == [[5, 6], [1], [7, 8, 2]]


def test_rows_are_spread_over_more():
    spread = ROWS.spread(np.array([1, 2, 4]), 6)
    assert _lists(spread) == [[], [5, 6], [], [], [7, 8], []]
