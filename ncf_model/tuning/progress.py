"""Tells observers how far a search is; see `training.progress`."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class SearchProgress:
    """The state of a search.

    Attributes:
        done: trials that have ended.
        trials: how many there will be at most.
        objective: name of the figure that is maximised.
        best: the highest figure so far; None before the first trial has ended.
    """

    done: int
    trials: int
    objective: str
    best: float | None


observers: list[Callable[[SearchProgress], None]] = []


def emit(event: SearchProgress) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
