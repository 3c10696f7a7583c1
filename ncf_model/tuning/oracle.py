"""Chooses what the next trial tries, and which trials to end early.

KerasTuner's Bayesian optimisation, with three differences: the first trial is the
configuration itself, hopeless trials end early, and there may be a time limit.
"""

import time
from collections.abc import Mapping
from typing import Any

import keras_tuner
import numpy as np
from keras_tuner.engine import trial as trial_module

from ncf_model.tuning import space
from ncf_model.tuning.config import Range

# KerasTuner's steps are ten thousandths of a trial's epochs here.
WHOLE = 10_000
_RUNGS = (WHOLE // 4, WHOLE // 2, WHOLE * 3 // 4)
_FEWEST_RIVALS = 4
# The variance of a figure's noise, and how much uncertainty attracts the search; the
# figures found so far are scaled to variance 1.
_NOISE, _CURIOSITY = 0.1, 1.5
_DIGITS = 3


class Oracle(keras_tuner.oracles.BayesianOptimizationOracle):
    """Successive halving over the trials of a Gaussian process.

    A trial ends at a rung (a quarter, a half, three quarters of its epochs) where its
    figure is below the median of all trials that were there before (asynchronous
    successive halving, Li et al., 2020). The first trial always trains to its end.
    """

    def __init__(
        self,
        objective: str,
        fields: Mapping[str, space.SearchedField],
        *,
        trials: int,
        minutes: float | None,
        stop_early: bool,
        seed: int,
    ) -> None:
        """Starts the clock.

        Args:
            objective: name of the figure that is maximised.
            fields: the fields to search.
            trials: how many trials there are at most.
            minutes: after so much time no trial starts, and running trials end; None
                sets no limit.
            stop_early: whether hopeless trials end early.
            seed: of every random choice.
        """
        super().__init__(
            objective=keras_tuner.Objective(objective, "max"),
            max_trials=trials,
            num_initial_points=max(5, min(3 * len(fields), trials // 3)),
            alpha=_NOISE,
            beta=_CURIOSITY,
            seed=seed + 1,  # KerasTuner takes 0 for "no seed".
            hyperparameters=_declared(fields),
            max_retries_per_trial=1,
            max_consecutive_failed_trials=trials + 1,  # The tuner counts failed trials.
        )
        self.verbose = 0  # The tuner writes the log.
        self._fields = dict(fields)
        self._stop_early = stop_early
        self._end = None if minutes is None else time.monotonic() + 60 * minutes

    def reload(self) -> None:
        """Continues the search whose state is on disk."""
        super().reload()
        # In the order of their start, because the search depends on the order.
        found = dict(self.trials)
        self.trials.clear()
        self.trials.update((name, found[name]) for name in sorted(found, key=int))

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns whether there is a next trial, and its values."""
        if not int(trial_id):
            values = {name: field.own for name, field in self._fields.items()}
            return {"status": trial_module.TrialStatus.RUNNING, "values": values}
        if self._is_over():
            return {"status": trial_module.TrialStatus.STOPPED, "values": None}
        # The seed depends on the trial alone, so a killed search continues unchanged.
        self._random_state = np.random.RandomState(self.seed + int(trial_id))
        response = super().populate_space(trial_id)
        if response["values"] and self._duplicate(self._rounded(response["values"])):
            response = self._random_populate_space()
        if response["values"]:
            response["values"] = self._rounded(response["values"])
        return response

    @keras_tuner.synchronized
    def update_trial(
        self, trial_id: str, metrics: Mapping[str, float], step: int = 0
    ) -> trial_module.Trial:
        """Notes a trial's figures; the returned status says whether the trial ends.

        Args:
            trial_id: which trial.
            metrics: the trial's figures so far.
            step: how much of the trial's epochs is done; `WHOLE` is all of them.
        """
        trial = super().update_trial(trial_id, metrics, step)
        hopeless = self._stop_early and self._is_behind(trial, step)
        if int(trial_id) and (hopeless or self._is_over()):
            trial.status = trial_module.TrialStatus.STOPPED
        return trial

    def score_trial(self, trial: trial_module.Trial) -> None:
        """Scores a trial by its last figure, that of the epoch that would ship."""
        last = trial.metrics.get_history(self.objective.name)[-1]
        trial.score, trial.best_step = last.mean(), last.step

    def _is_over(self) -> bool:
        return self._end is not None and time.monotonic() >= self._end

    def _is_behind(self, trial: trial_module.Trial, step: int) -> bool:
        """Returns whether a trial is in the worse half at the rung that it reached."""
        own = self._figures(trial)
        before = max((done for done in own if done < step), default=0)
        rung = max((r for r in _RUNGS if before < r <= step), default=None)
        if rung is None:
            return False
        rivals = [
            figures[min(there)]
            for other in self.trials.values()
            if other.trial_id != trial.trial_id
            and (figures := self._figures(other))
            and (there := [done for done in figures if done >= rung])
        ]
        return len(rivals) >= _FEWEST_RIVALS and own[step] < float(np.median(rivals))

    def _figures(self, trial: trial_module.Trial) -> dict[int, float]:
        name = self.objective.name
        if not trial.metrics.exists(name):
            return {}
        return {one.step: one.mean() for one in trial.metrics.get_history(name)}

    def _rounded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Returns the values rounded to few digits, within their bounds."""
        rounded = dict(values)
        for name, field in self._fields.items():
            if isinstance(field.values, Range) and not field.values.whole:
                number = float(f"{values[name]:.{_DIGITS}g}")
                rounded[name] = min(max(number, field.values.min), field.values.max)
        return rounded


def _declared(fields: Mapping[str, space.SearchedField]) -> keras_tuner.HyperParameters:
    """Returns the search space as KerasTuner describes one."""
    found = keras_tuner.HyperParameters()
    for name, (values, own) in fields.items():
        if not isinstance(values, Range):
            found.Choice(name, list(values), default=own)
            continue
        sampling = "log" if values.log else "linear"
        add = found.Int if values.whole else found.Float
        add(name, values.min, values.max, sampling=sampling, default=own)
    return found
