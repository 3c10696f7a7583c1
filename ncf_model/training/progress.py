"""Tells observers how far a training is.

A terminal display in the same process appends a function to `observers`. Without
observers nothing happens. An observer is called from the training thread and must
return quickly.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal

Phase = Literal["gmf", "mlp", "train", "refit"]


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingProgress:
    """The state of a training run.

    Attributes:
        phase: `train` with the validation items held out, or `refit` with them; `gmf`
            and `mlp` are pretraining.
        epoch: the running epoch, from 1.
        epochs: how many there will be; fewer if training stops early.
        fraction: how much of the running epoch is done, in [0, 1].
        examples_per_second: rows trained per second in this epoch so far.
        loss: mean cross-entropy of this epoch so far.
        hit_rate: HR@10 of the last epoch on the validation items; None before the first
            epoch and in the refit.
    """

    phase: Phase
    epoch: int
    epochs: int
    fraction: float
    examples_per_second: float
    loss: float
    hit_rate: float | None


observers: list[Callable[[TrainingProgress], None]] = []


def emit(event: TrainingProgress) -> None:
    """Tells every observer."""
    for observer in tuple(observers):
        observer(event)
