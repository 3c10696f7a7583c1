"""Compares two results: which figures got slower or faster by more than the noise."""

import dataclasses
import math
import statistics

from benchmarks.results import Figure, Result

# The assumed spread of a figure that was measured once.
_UNKNOWN = 0.25
# Smaller differences are not reported: two runs of the same code on a busy machine
# differ by as much.
_LEAST = 0.1


@dataclasses.dataclass(frozen=True)
class SpeedChange:
    """How a figure differs between two results.

    Attributes:
        name: of the figure.
        slower: how many times as slow the new result is, above 1 if it is slower;
            corrected by the machine's own pace.
        noise: by how much `slower` may differ from 1 although nothing has changed.
    """

    name: str
    slower: float
    noise: float

    @property
    def verdict(self) -> str:
        """`slower`, `faster` or `same`."""
        if self.slower > 1 + self.noise:
            return "slower"
        return "faster" if self.slower < 1 / (1 + self.noise) else "same"


def changes(new: Result, old: Result) -> list[SpeedChange]:
    """Returns how the figures of speed and size that both results have changed.

    The figure that got slowest comes first.
    """
    machine = pace(new, old)
    found = []
    for name, figure in new.figures.items():
        before = old.figures.get(name)
        if before and before.unit == figure.unit and figure.median and before.median:
            slower = _slower(figure, before)
            if slower is not None:
                timed = figure.unit != "MB"
                found.append(
                    SpeedChange(
                        name,
                        slower / machine if timed else slower,
                        _noise(figure, before),
                    )
                )
    return sorted(found, key=lambda change: -change.slower)


def pace(new: Result, old: Result) -> float:
    """Returns how many times as long as for `old` the machine took for a calculation.

    The calculation is always the same one, so the ratio is the machine's own.
    """
    shared = new.pace.keys() & old.pace.keys()
    if not shared:
        return 1.0
    now, then = (statistics.median(r.pace[part] for part in shared) for r in (new, old))
    return now / then


def _slower(figure: Figure, before: Figure) -> float | None:
    if figure.unit.endswith("/s"):
        return before.median / figure.median
    if figure.unit in ("s", "CPU s", "ns", "MB"):
        return figure.median / before.median
    return None


def _noise(figure: Figure, before: Figure) -> float:
    """Returns the change by which chance alone may move the figure, a fraction.

    The noise is four times both spreads, which are added as the root of the sum of
    their squares. The spread that is assumed for a single measurement is not
    multiplied.
    """
    spreads = [_UNKNOWN if f.spread is None else f.spread for f in (figure, before)]
    factor = 1 if any(f.spread is None for f in (figure, before)) else 4
    return max(_LEAST, factor * math.hypot(*spreads))
