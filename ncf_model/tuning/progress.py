"""How far a search is, for whoever wants to show it; as `training.progress`."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """The state of a search.

    Attributes:
        done: trials that have ended.
        trials: how many there will be at most.
        objective: name of the figure.
        best: the highest so far; None before the first trial has ended.
    """

    done: int
    trials: int
    objective: str
    best: float | None


observers: list[Callable[[Event], None]] = []


def emit(event: Event) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
