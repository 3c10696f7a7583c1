"""Slices: quarters of users by activity; head, torso and tail of items."""

import numpy as np

from components.eval_context import slices


def test_quarters():
    assert slices.activity(np.array([1, 2, 3, 4, 5, 6, 7, 8])).tolist() == (
        [0, 0, 1, 1, 2, 2, 3, 3]
    )


def test_equal_users_are_in_one_quarter():
    assert slices.activity(np.array([5, 5, 5, 5])).tolist() == [0, 0, 0, 0]


def test_no_users():
    assert slices.activity(np.array([], np.int64)).tolist() == []


def test_head_has_half_of_the_positives_and_torso_up_to_four_fifths():
    counts = np.array([1, 30, 50, 9, 0, 10])
    groups = [slices.POPULARITY[group] for group in slices.popularity(counts)]
    # 50 of 100 is the head; 30 more make 80%, where the torso ends; the rest is tail.
    assert groups == ["tail", "torso", "head", "tail", "tail", "tail"]


def test_an_item_that_never_trains_is_in_the_tail():
    assert slices.popularity(np.array([0, 0])).tolist() == [2, 2]
