"""How far a long step is, for whoever wants to show it; as `training.progress`."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class Event:
    """The state of a step.

    Attributes:
        fraction: how much of it is done, in [0, 1].
        doing: what it is at, in a few words.
    """

    fraction: float
    doing: str


observers: list[Callable[[Event], None]] = []


def emit(event: Event) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
