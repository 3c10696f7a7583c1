"""One trial: a training without the validation items, evaluated on them."""

import contextlib
import tempfile
from collections.abc import Callable, Mapping
from typing import Any

import keras

from ncf_model import config, fit
from ncf_model import progress as steps
from ncf_model.history import resolve
from ncf_model.training import fitting, progress, strategy
from ncf_model.training.training_history import Epoch
from ncf_model.tuning import oracle, space
from ncf_model.tuning.shared import Shared

# A function of how much of the epochs is done (`oracle.WHOLE` is all) and of the figure
# of the best epoch so far; returns whether to end the trial.
Report = Callable[[int, float], bool]


def run(
    shared: Shared,
    custom: Mapping[str, Any],
    values: Mapping[str, Any],
    *,
    objective: str,
    report: Report,
) -> None:
    """Trains with the values of a trial.

    Args:
        shared: the data.
        custom: the configuration that the trial changes.
        values: of the trial, by dotted name.
        objective: the figure to report.
        report: called after each epoch.

    Raises:
        ValueError: the values do not go together, the training diverges, or there is
            no such figure.
    """
    network, train, sampling = space.settings(space.apply(custom, values))
    # Each trial runs on one device, and ends with the epoch best on validation items.
    alone = {"refit": False, "hit_rate_target": None, "strategy": "one_device"}
    alone |= {"mlperf_log": False, "warm_start": None, "num_gpus": None}
    train = config.TrainConfig(**{**train.model_dump(), **alone})
    config.check_together(network, train, sampling)
    if network.history:
        network = resolve.resolve(
            network, shared.interactions, num_items=shared.num_items
        )

    def stop_after(epochs: list[Epoch], best: int) -> bool:
        done = oracle.WHOLE * len(epochs) // train.epochs
        return report(done, _figure(epochs[best - 1], objective))

    keras.backend.clear_session()
    with tempfile.TemporaryDirectory() as logs, _unseen():
        fit.fit(
            network,
            shared.interactions,
            shared.candidates,
            fitting.FitSettings(
                train=train,
                sampling=sampling,
                seed=custom["seed"],
                stop_after=stop_after,
            ),
            num_users=shared.num_users,
            num_items=shared.num_items,
            log_dir=logs,
            strategy=strategy.make_strategy(train),
        )


def _figure(epoch: Epoch, objective: str) -> float:
    figures = epoch.figures()
    if objective not in figures:
        raise ValueError(
            f"`tune.objective` must be a figure of the validation items; there is no "
            f"{objective!r}, only {sorted(k for k in figures if '@' in k)}. Users with "
            "three interactions or more have validation items."
        )
    return figures[objective]


@contextlib.contextmanager
def _unseen() -> Any:
    """Hides the single epochs and steps from observers."""
    hidden: list[tuple[list[Any], list[Any]]] = [
        (observers, observers[:]) for observers in (progress.observers, steps.observers)
    ]
    for observers, _ in hidden:
        observers.clear()
    try:
        yield
    finally:
        for observers, before in hidden:
            observers[:] = before
