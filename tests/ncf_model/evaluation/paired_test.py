"""The paired comparison of two models' hits, on counts worked out by hand."""

import math

import pytest

from ncf_model.evaluation.paired import PairedHits


def test_counts_what_only_one_of_them_hits():
    pairs = PairedHits()
    for new, old in [(True, True), (True, False), (False, True), (False, True)]:
        pairs.add(new, old)
    pairs.add(False, False)
    assert pairs == PairedHits(lists=5, only_new=1, only_old=2)
    assert pairs + pairs == PairedHits(lists=10, only_new=2, only_old=4)
    assert pairs.difference == pytest.approx(-0.2)


def test_error_of_the_difference():
    """Differences 1, -1, -1, 0, 0 have mean -.2 and squared deviations of sum 2.8."""
    pairs = PairedHits(lists=5, only_new=1, only_old=2)
    assert pairs.standard_error == pytest.approx((2.8 / 5 / 4) ** 0.5)
    assert math.isnan(PairedHits(lists=1, only_new=1).standard_error)


@pytest.mark.parametrize(
    ("only_new", "only_old", "p"),
    [
        (0, 0, 1.0),
        (0, 3, 1 / 8),  # Chance of 3 tails in 3 tosses.
        (3, 0, 1.0),
        (1, 2, 4 / 8),  # Chance of 2 or 3 tails in 3 tosses.
        (0, 5, 1 / 32),
    ],
)
def test_chance_of_looking_so_bad(only_new, only_old, p):
    pairs = PairedHits(lists=1000, only_new=only_new, only_old=only_old)
    assert pairs.p_value == pytest.approx(p)


def test_one_list_without_a_rank_is_enough():
    pairs = PairedHits(lists=10, only_new=4)
    pairs.add(None, True)
    assert math.isnan(pairs.difference)
    assert math.isnan(pairs.standard_error)
    assert math.isnan(pairs.p_value)
    assert math.isnan(PairedHits().difference)


def test_a_baseline_that_was_left_out_neither_differs_nor_speaks_against_a_model():
    pairs = PairedHits(lists=9, only_old=9)
    pairs.add(False, None)
    assert pairs == PairedHits(lists=10, only_old=9, unranked=1)
    assert math.isnan(pairs.difference)
    assert math.isnan(pairs.standard_error)
    assert pairs.p_value == 1.0
