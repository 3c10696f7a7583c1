"""The configuration of the search for hyperparameters."""

from typing import Any, Literal

import pydantic

from ncf_model.config import (
    AUTO,
    Auto,
    Config,
    ModelConfig,
    Positive,
    SamplingConfig,
)

Metric = Literal["hit_rate@10", "ndcg@10", "catalogue_hit_rate@10", "catalogue_ndcg@10"]
# Figures that only the network of users by their history has.
CATALOGUE = ("catalogue_hit_rate@10", "catalogue_ndcg@10")


class Range(Config):
    """Numbers between two bounds.

    Attributes:
        min, max: the bounds, both included. If both are whole numbers, only whole
            numbers are taken.
        log: draws evenly by order of magnitude; the bounds must then be above 0.
    """

    min: int | float
    max: int | float
    log: bool = False

    @property
    def whole(self) -> bool:
        """Whether only whole numbers are possible."""
        return isinstance(self.min, int) and isinstance(self.max, int)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "Range":
        if not self.min < self.max:
            raise ValueError(f"`min` must be below `max`; got {self.min}, {self.max}.")
        if self.log and self.min <= 0:
            raise ValueError(f"With `log`, `min` must be above 0; got {self.min}.")
        return self


class TuneConfig(Config):
    """The search for better hyperparameters, before the training.

    The first trial is the configuration as it is. All trials train without validation
    items and are evaluated on them.

    Attributes:
        objective: the figure that is maximised, of the validation items in their lists
            or, for the network of users by their history, in the whole catalogue.
            `auto` is the figure that epochs are chosen by: `ndcg@10`, or
            `catalogue_ndcg@10` with `sampling.eval_negatives: all`; for the network of
            pairs `hit_rate@10`.
        trials: how many configurations are tried at most, the first included.
        minutes: after so much time no trial is started, and running trials end with
            their current epoch; null sets no limit.
        processes: how many trials run at a time, each in its own process; `auto` is one
            per core, 8 at most. With 1 the same seed gives the same search.
        stop_early: ends a trial that is worse than half of the trials at a quarter, a
            half or three quarters of its epochs.
        space: the fields to search, by dotted name, and their values: a list, or `min`,
            `max` and, if the order of magnitude counts, `log: true`. `auto` searches
            the fields listed in `ncf_model.tuning.space`.
    """

    objective: Metric | Auto = AUTO
    trials: int = pydantic.Field(40, ge=1, le=10_000)
    minutes: Positive | None = None
    processes: pydantic.PositiveInt | Auto = AUTO
    stop_early: bool = True
    space: dict[str, Range | tuple[Any, ...]] | Auto = AUTO

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TuneConfig":
        if self.space == AUTO:
            return self
        if not self.space:
            raise ValueError("`space` must name a field or be `auto`; it is empty.")
        for name, values in self.space.items():
            if isinstance(values, tuple) and not values:
                raise ValueError(f"`space` must have a value for `{name}`; got none.")
        return self

    def objective_of(self, model: ModelConfig, sampling: SamplingConfig) -> str:
        """Returns the figure that is maximised.

        Raises:
            ValueError: the network has no such figure.
        """
        if self.objective == AUTO:
            if model.history is None:
                return "hit_rate@10"
            whole = sampling.eval_negatives == "all"
            return "catalogue_ndcg@10" if whole else "ndcg@10"
        if self.objective in CATALOGUE and model.history is None:
            raise ValueError(
                f"`tune.objective: {self.objective}` is of the network of users by "
                "their history; that of pairs is evaluated on the lists. Set "
                "`hit_rate@10` or `ndcg@10`, with `sampling.eval_negatives: all` for "
                "the whole catalogue."
            )
        return self.objective
