"""Permuted ids are found by which user takes which item; no count shows them."""

import numpy as np
import pyarrow as pa
import pytest

from components.interactions_example_gen import drift, misfit


def _rows(newest):
    """Returns a third of the pairs of two groups with ten items each, or the rest."""
    return [
        (f"u{user}", f"i{user % 2}-{item}")
        for user in range(60)
        for item in range(10)
        if ((user + item) % 3 == 0) == newest
    ]


def _pairs(rows):
    columns = zip(*rows, strict=True)
    return misfit.UserItemPairs(
        *(pa.chunked_array([pa.array(c).dictionary_encode()]) for c in columns)
    )


BEFORE, NEWEST = _rows(False), _rows(True)


def _permuted(rows, column, seed=3):
    ids = sorted({row[column] for row in rows})
    places = dict(zip(ids, np.random.default_rng(seed).permutation(ids), strict=True))
    return [
        tuple(str(places[v]) if at == column else v for at, v in enumerate(row))
        for row in rows
    ]


def test_users_who_go_on_as_before_fit():
    assert misfit.misfit(_pairs(NEWEST), _pairs(BEFORE)) < 0.1


@pytest.mark.parametrize("column", [0, 1])
def test_ids_that_changed_places_do_not_fit(column):
    newest, before = _pairs(_permuted(NEWEST, column)), _pairs(BEFORE)
    assert misfit.misfit(newest, before) == pytest.approx(0.5, abs=0.12)
    # Drift's counts do not show that ids were permuted; the misfit does.
    old, new = drift.count(before), drift.count(newest)
    assert drift.compare(new, [old])["new_items"] == 0
    assert drift.compare(new, [old])["new_users"] == 0


def test_rows_of_one_column_that_moved_do_not_fit():
    items = np.random.default_rng(1).permutation([item for _, item in NEWEST]).tolist()
    moved = [(user, item) for (user, _), item in zip(NEWEST, items, strict=True)]
    found = misfit.misfit(_pairs(moved), _pairs(BEFORE))
    assert found == pytest.approx(0.5, abs=0.1)


def test_pairs_that_were_there_before_say_nothing():
    assert misfit.misfit(_pairs(BEFORE), _pairs(BEFORE)) is None


def test_few_pairs_say_nothing():
    enough = NEWEST[: misfit.LEAST]
    assert misfit.misfit(_pairs(enough), _pairs(BEFORE)) is not None
    assert misfit.misfit(_pairs(enough[:-1]), _pairs(BEFORE)) is None


def test_new_users_and_items_say_nothing():
    strangers = [(f"new{user}", item) for user, item in NEWEST]
    assert misfit.misfit(_pairs(strangers), _pairs(BEFORE)) is None
    unknown = [(user, f"new{item}") for user, item in NEWEST]
    assert misfit.misfit(_pairs(unknown), _pairs(BEFORE)) is None


def test_nobody_was_there_before():
    nobody = misfit.joined([])
    assert misfit.misfit(_pairs(NEWEST), nobody) is None
    assert misfit.misfit(nobody, _pairs(BEFORE)) is None


def test_spans_are_joined():
    halves = [_pairs(BEFORE[::2]), _pairs(BEFORE[1::2])]
    joined = misfit.misfit(_pairs(NEWEST), misfit.joined(halves))
    assert joined == pytest.approx(
        misfit.misfit(_pairs(NEWEST), _pairs(BEFORE)), abs=0.01
    )
