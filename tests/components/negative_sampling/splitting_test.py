import numpy as np

from components.negative_sampling import splitting
from ncf_model.config import SamplingConfig
from ncf_model.sampling.ragged import Ragged


def _ragged(*rows):
    offsets = np.cumsum([0, *(len(row) for row in rows)])
    return Ragged(np.array([value for row in rows for value in row], int), offsets)


def _lists(rows):
    pairs = zip(rows.offsets[:-1], rows.offsets[1:], strict=True)
    return [rows.values[start:stop].tolist() for start, stop in pairs]


def _split(*users, times=None, **settings):
    items = _ragged(*users)
    if times is None:
        times = [0] * len(items.values)
    parts = splitting.split(items, np.array(times), SamplingConfig(**settings))
    return [_lists(part) for part in (parts.positives, parts.validation)] + [
        _lists(parts.evaluation)
    ]


def test_leave_one_out():
    # Users with 1, 2, 3 and 5 interactions, all at one time: their order decides.
    assert _split([4], [5, 3], [2, 0, 1], [9, 8, 7, 6, 5]) == [
        [[4], [5], [2], [9, 8, 7]],
        [[], [], [0], [6]],
        [[], [3], [1], [5]],
    ]


def test_temporal():
    # The split is at time 10. The fifth user has nothing before, the fourth a single
    # interaction, which trains; the third has nothing after.
    parts = _split(
        [1, 2, 3, 4],
        [5, 6, 7],
        [8, 9],
        [2, 3],
        [4],
        times=[1, 2, 10, 11, 1, 2, 9, 1, 9, 9, 10, 10],
        split="temporal",
        split_time=10,
    )
    assert parts == [
        [[1], [5, 6], [8], [2], []],
        [[2], [7], [9], [], []],
        [[3, 4], [], [], [3], [4]],
    ]


def test_no_users():
    assert _split() == [[], [], []]
