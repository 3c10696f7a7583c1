"""Tells observers how far a long step of a node is; see `training.progress`."""

import dataclasses
from collections.abc import Callable


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepProgress:
    """The state of a step.

    Attributes:
        fraction: how much of the step is done, in [0, 1].
        doing: what the step is doing now, in a few words.
    """

    fraction: float
    doing: str


observers: list[Callable[[StepProgress], None]] = []


def emit(event: StepProgress) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
