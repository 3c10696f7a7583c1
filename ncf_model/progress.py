"""Tells observers how far a long step of a node is; see `training.progress`."""

import dataclasses
from collections.abc import Callable

# Trainer's phases -> how much of the node is done when they end, by the seconds of
# MovieLens 1M. A phase begins where the one before has ended.
ENDS = {
    "search": 0.2,
    "gmf": 0.3,
    "mlp": 0.4,
    "train": 0.65,
    "refit": 0.85,
    "fit": 0.95,
}
WRITES_MODEL = "writes the model"  # What Trainer does last.


@dataclasses.dataclass(frozen=True, kw_only=True)
class StepProgress:
    """The state of a step.

    Attributes:
        fraction: how much of the node is done, in [0, 1].
        doing: what the step is doing now, in a few words.
    """

    fraction: float
    doing: str


observers: list[Callable[[StepProgress], None]] = []


def emit(event: StepProgress) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
