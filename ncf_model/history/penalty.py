"""The search for the linear part's penalty among those that are configured."""

from collections.abc import Callable, Sequence

import numpy as np

# Where the search starts; without validation items it is also where it ends.
USUAL = 300.0


def closest(values: Sequence[float], wanted: float) -> float:
    """Returns the value whose ratio to `wanted` is nearest to 1."""
    return min(values, key=lambda value: abs(np.log(value / wanted)))


def climb(figure: Callable[[float], float], values: Sequence[float]) -> None:
    """Calls `figure` for values from the usual one uphill, once for each.

    Args:
        figure: returns how good a value is; more is better.
        values: in order.
    """
    known: dict[int, float] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(values):
            return -np.inf
        if place not in known:
            known[place] = figure(values[place])
        return known[place]

    place = values.index(closest(values, USUAL))
    while True:
        best = max((place, place - 1, place + 1), key=at)
        if best == place:
            return
        place = best
