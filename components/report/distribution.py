"""Counts how many interactions users and items have; free of TFX."""

from typing import Any

import numpy as np

from components.report.document import Distribution, Histogram


def histogram(counts: np.ndarray) -> Histogram:
    """Returns how many of `counts` fall between 1, 2, 5, 10, 20, 50, 100 and so on.

    Args:
        counts: [N] int, how many interactions each user or item has; zeros do not
            count.
    """
    counts = counts[counts > 0]
    if not len(counts):
        return Histogram()
    largest = int(counts.max())
    edges = [1]
    while edges[-1] <= largest:
        # The bounds are 1, 2, 5, 10, ...: after each 2 comes a step by 2.5.
        two = str(edges[-1]).startswith("2")
        edges.append(edges[-1] * 5 // 2 if two else edges[-1] * 2)
    found, _ = np.histogram(counts, bins=edges)
    return Histogram(
        edges=[float(edge) for edge in edges],
        counts=found.tolist(),
        median=float(np.median(counts)),
        largest=largest,
    )


def distribution(
    per_user: np.ndarray,
    per_item: np.ndarray,
    times: tuple[int, int] | None,
) -> Distribution:
    """Returns the spread of the interactions.

    Args:
        per_user: [users] int, how many interactions each user has.
        per_item: [items] int, how many interactions each item has.
        times: the earliest and the latest time, seconds since 1970, UTC; None without
            times.
    """
    spans: dict[str, Any] = {}
    if times:
        first, last = (np.datetime64(second, "s") for second in times)
        spans = {"first_time": f"{first}Z", "last_time": f"{last}Z"}
    return Distribution(
        per_user=histogram(per_user), per_item=histogram(per_item), **spans
    )
