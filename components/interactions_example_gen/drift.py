"""Measures how the newest span differs from those before it, and refuses too much.

TFDV's comparators compare two artifacts, and TFX's ExampleValidator gets no earlier
statistics; here all spans are merged into one artifact. So TFDV's figures (L-infinity
norm and Jensen-Shannon divergence of categorical values) are computed here from the
files of the spans, and some figures that TFDV does not have.
"""

import collections
import contextlib
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from components.interactions_example_gen import files, misfit, reading
from components.interactions_example_gen.config import DriftConfig, ReadingConfig

PROPERTY = "drift"  # The Examples' property with figures and limits.
# What each field of `DriftConfig` measures, in words.
MEANINGS = {
    "events": "times as many, or as few, interactions as the median span before it",
    "new_users": "of its users are in none of the spans before",
    "new_items": "of its interactions are with items that no span before has",
    "item_share": "is the largest change of one item's share (L-infinity norm)",
    "popularity": "is the Jensen-Shannon divergence of the items' popularity",
    "events_per_user": "is the divergence of the numbers of interactions per user",
    "misfit": "of its new pairs fit no better than with their items swapped",
}


class Counts(NamedTuple):
    """How many interactions each user and each item of a span has."""

    users: Mapping[str, int]
    items: Mapping[str, int]

    @property
    def events(self) -> int:
        """The number of interactions of the span."""
        return sum(self.users.values())


def pairs(paths: Iterable[str], config: ReadingConfig) -> misfit.UserItemPairs:
    """Reads the files of one span.

    Raises:
        ValueError: a row cannot be read, unless `bad_rows` is `skip`.
    """
    columns: dict[str, list[pa.Array]] = {"user": [], "item": []}
    for path in paths:
        with contextlib.suppress(reading.NoRowsError):
            for block in reading.read_blocks(path, config):
                for name, chunks in columns.items():
                    ids = block.rows.column(name).cast(pa.string())
                    chunks.append(ids.dictionary_encode())
    kind = pa.dictionary(pa.int32(), pa.string())
    return misfit.UserItemPairs(*(pa.chunked_array(c, kind) for c in columns.values()))


def count(span: misfit.UserItemPairs) -> Counts:
    """Returns how many interactions each user and each item of a span has."""
    return Counts(*(_totals(column) for column in span))


def _totals(column: pa.ChunkedArray) -> Mapping[str, int]:
    totals: collections.Counter[str] = collections.Counter()
    for chunk in column.chunks:
        numbers = np.bincount(chunk.indices.to_numpy(), minlength=len(chunk.dictionary))
        ids = chunk.dictionary.to_pylist()
        totals.update(dict(zip(ids, numbers.tolist(), strict=True)))
    return totals


def compare(newest: Counts, before: Sequence[Counts]) -> dict[str, float]:
    """Returns a figure for each limit of `DriftConfig` that goes by counts.

    Args:
        newest: the span to compare.
        before: one or more spans before it.
    """
    typical = float(np.median([span.events for span in before]))
    old = Counts(*(_sum(getattr(s, name) for s in before) for name in Counts._fields))
    new_users = sum(user not in old.users for user in newest.users)
    new_items = sum(n for item, n in newest.items.items() if item not in old.items)
    shares, old_shares = _aligned(newest.items, old.items)
    per_user = _histogram(newest.users.values())
    old_per_user = _histogram(n for span in before for n in span.users.values())
    figures = {
        "events": math.exp(abs(math.log(max(newest.events, 1) / max(typical, 1)))),
        "new_users": new_users / max(1, len(newest.users)),
        "new_items": new_items / max(1, newest.events),
        "item_share": float(np.max(np.abs(shares - old_shares))),
        "popularity": jensen_shannon(shares, old_shares),
        "events_per_user": jensen_shannon(*_aligned(per_user, old_per_user)),
    }
    return {name: round(value, 6) for name, value in figures.items()}


def _sum(counts: Iterable[Mapping[str, int]]) -> collections.Counter[str]:
    total: collections.Counter[str] = collections.Counter()
    for one in counts:
        total.update(one)
    return total


def _aligned(
    first: Mapping[Any, int], second: Mapping[Any, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns the shares in both counts, over the values that either has."""
    values = list(first.keys() | second.keys())
    counts = [np.array([of.get(v, 0) for v in values], float) for of in (first, second)]
    return counts[0] / max(1, counts[0].sum()), counts[1] / max(1, counts[1].sum())


def _histogram(counts: Iterable[int]) -> Mapping[int, int]:
    """Returns how many users have 1, 2 to 3, 4 to 7, ... interactions."""
    return collections.Counter(int(n).bit_length() for n in counts)


def jensen_shannon(first: np.ndarray, second: np.ndarray) -> float:
    """Returns the divergence of two distributions, in bits, in [0, 1].

    Example:
        >>> import numpy as np
        >>> jensen_shannon(np.array([1.0, 0.0]), np.array([0.0, 1.0]))
        1.0
    """
    middle = (first + second) / 2
    parts = []
    for of in (first, second):
        there = of > 0
        parts.append(np.sum(of[there] * np.log2(of[there] / middle[there])))
    return float(sum(parts) / 2)


def look(
    base: str,
    pattern: str,
    sizes: Sequence[int],
    names: Sequence[str],
    settings: DriftConfig,
    config: ReadingConfig,
) -> dict[str, Any]:
    """Returns the figures and limits of the newest span, if it keeps the limits.

    Args:
        base: folder of the input.
        pattern: one line per file, as the driver writes it.
        sizes: how many files each span has, the oldest first.
        names: of the spans that have files, the oldest first.
        settings: limits, and how many spans to compare with.
        config: how files are read.

    Raises:
        ValueError: a figure is above its limit.
    """
    paths = files.find(base, pattern)
    ends = np.cumsum(sizes)
    spans = [paths[end - size : end] for end, size in zip(ends, sizes, strict=True)]
    if len(spans) < 2:
        return {"span": names[-1], "against": 0}
    first = max(0, len(spans) - 1 - settings.against)
    read = [pairs(of, config) for of in spans[first:]]
    *before, newest = read
    figures = compare(count(newest), [count(span) for span in before])
    fit = misfit.misfit(newest, misfit.joined(before))
    if fit is not None:
        figures["misfit"] = round(fit, 6)
    limits = settings.limits()
    check(figures, limits, span=names[-1], where=os.path.dirname(spans[-1][0]))
    return {
        "span": names[-1],
        "against": len(before),
        "figures": figures,
        "limits": limits,
    }


def check(
    figures: Mapping[str, float], limits: Mapping[str, float], *, span: str, where: str
) -> None:
    """Raises ValueError if a figure is above its limit; a missing figure is not."""
    broken = [name for name, most in limits.items() if figures.get(name, most) > most]
    if not broken:
        return
    told = "\n".join(
        f"  {name}: {figures[name]:.3g} {MEANINGS[name]}; at most {limits[name]:g} "
        f"(`data.drift.{name}`)"
        for name in broken
    )
    raise ValueError(
        f"Span {span} ({where}) has drifted from those before it:\n{told}\n"
        "Nothing was trained. Look at the delivery. If it is right, run once with a "
        f"higher limit, such as `--set data.drift.{broken[0]}=null`."
    )
