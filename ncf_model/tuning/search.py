"""Runs the trials that the oracle names, several at a time."""

import concurrent.futures
import contextlib
import json
import os
import pathlib
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras_tuner
from absl import logging
from keras_tuner.engine import base_tuner
from keras_tuner.engine import trial as trial_module

from ncf_model.tuning import oracle, progress, trial, worker
from ncf_model.tuning.shared import Shared

_MOST_FAILURES = 5
_Run = Callable[[Mapping[str, Any], trial.Report], None]


class Tuner(base_tuner.BaseTuner):
    """KerasTuner's tuner, which TFX's Tuner calls; it runs trials in processes.

    On several machines (TFX's Tuner for Google Cloud sets KERASTUNER_ORACLE_IP and
    other variables) each machine runs the trials that the chief's oracle gives to it.
    """

    def __init__(
        self, chooser: oracle.Oracle, *, folder: str, name: str, overwrite: bool = False
    ) -> None:
        """Continues the search of this name in `folder`, if there is one.

        Args:
            chooser: chooses the trials.
            folder: holds the states of searches, on this machine or in an object store.
            name: depends on everything that decides the results of trials.
            overwrite: begins a new search, even if there is one of this name.
        """
        super().__init__(
            oracle=chooser, directory=folder, project_name=name, overwrite=overwrite
        )
        # This lock guards all calls of the oracle, whose own lock an error leaves
        # locked.
        self._lock = threading.Lock()
        self._failures = 0
        self._ended = False  # By Ctrl-C or an error: running trials are to run again.

    def search(
        self,
        *,
        shared: Shared,
        custom: Mapping[str, Any],
        objective: str,
        processes: int,
        threads: int,
    ) -> None:
        """Runs trials until the oracle has no more.

        Args:
            shared: the data.
            custom: the configuration that trials change.
            objective: the figure that is maximised.
            processes: how many trials run at a time; 1 runs them in this process.
            threads: how many threads each of several processes has.

        Raises:
            RuntimeError: five trials in a row failed, or the first one did.
        """
        if "chief" in os.environ.get("KERASTUNER_TUNER_ID", ""):
            super().search()  # The chief serves the oracle and runs no trial.
            return
        self._check_first()  # An earlier process may have begun this search.
        with _runs(shared, custom, objective, processes, threads) as runs:
            if len(runs) == 1:
                self._work(0, runs[0])
                return
            with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
                loops = [pool.submit(self._work, *slot) for slot in enumerate(runs)]
                try:
                    for loop in concurrent.futures.as_completed(loops):
                        loop.result()
                except BaseException:
                    self._ended = True
                    for run in runs:
                        run.close()
                    raise

    def _work(self, slot: int, run: Any) -> None:
        """Runs one trial after the other."""
        name = f"{self.tuner_id}-{slot}"
        while True:
            with self._lock:
                chosen = self.oracle.create_trial(name)
            if chosen.status == trial_module.TrialStatus.STOPPED:
                return
            logging.info("Trial %s: %s", chosen.trial_id, chosen.hyperparameters.values)
            status, message = self._try(chosen, run)
            with self._lock:
                if self._ended:
                    return
                # Not before, as others sort the trials that are complete by score.
                chosen.status, chosen.message = status, message
                self.on_trial_end(chosen)
                self._tell(chosen)

    def _try(self, chosen: trial_module.Trial, run: _Run) -> tuple[str, str | None]:
        """Runs a trial; returns the status with which it ended, and why it failed."""

        def report(step: int, figure: float) -> bool:
            with self._lock:
                metrics = {self.oracle.objective.name: figure}
                told = self.oracle.update_trial(chosen.trial_id, metrics, step=step)
            return bool(told.status == trial_module.TrialStatus.STOPPED)

        status = trial_module.TrialStatus
        try:
            run(chosen.hyperparameters.values, report)
        except ValueError as error:
            return status.FAILED, str(error)
        except worker.Died as error:
            # As for lack of memory; it may live the second time.
            return status.INVALID, str(error)
        return status.COMPLETED, None

    def _tell(self, ended: trial_module.Trial) -> None:
        """Tells log and observers how far the search is.

        Raises:
            RuntimeError: five trials in a row failed, or the first one did.
        """
        failed = ended.status != trial_module.TrialStatus.COMPLETED
        self._failures = self._failures + 1 if failed else 0
        if failed:
            logging.warning("Trial %s failed: %s", ended.trial_id, ended.message)
            self._check_first()
        if self._failures == _MOST_FAILURES:
            raise RuntimeError(
                f"{_MOST_FAILURES} trials in a row failed; the last: {ended.message}"
            )
        found = [t for t in self.oracle.get_best_trials(1) if t.score is not None]
        best = found[0].score if found else None
        logging.info("Trial %s has ended; the best so far: %s", ended.trial_id, best)
        if isinstance(self.oracle, keras_tuner.Oracle):
            progress.emit(
                progress.SearchProgress(
                    done=len(self.oracle.end_order),
                    trials=self.oracle.max_trials,
                    objective=self.oracle.objective.name,
                    best=best,
                )
            )

    def _check_first(self) -> None:
        """Checks that the first trial has not failed for good."""
        if not isinstance(self.oracle, keras_tuner.Oracle):
            return  # The chief has the trials.
        for first in self.oracle.trials.values():
            failed = first.status == trial_module.TrialStatus.FAILED
            if failed and int(first.trial_id) == 0:
                raise RuntimeError(
                    "The first trial, with the configuration as it is, failed: "
                    f"{first.message}. To try it again, remove {self.project_dir}."
                )


class _Here:
    """Runs trials in this process."""

    def __init__(
        self, shared: Shared, custom: Mapping[str, Any], objective: str
    ) -> None:
        self._shared, self._custom, self._objective = shared, custom, objective

    def __call__(self, values: Mapping[str, Any], report: trial.Report) -> None:
        trial.run(
            self._shared,
            self._custom,
            values,
            objective=self._objective,
            report=report,
        )

    def close(self) -> None:
        """Does nothing, because there is no process to end."""


@contextlib.contextmanager
def _runs(
    shared: Shared,
    custom: Mapping[str, Any],
    objective: str,
    processes: int,
    threads: int,
) -> Iterator[list[Any]]:
    """Yields functions that run trials, one per process; ends the processes."""
    if processes == 1:
        yield [_Here(shared, custom, objective)]
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        shared.save(folder / worker.DATA_FILE)
        job = {"custom": dict(custom), "objective": objective}
        (folder / worker.JOB_FILE).write_text(json.dumps(job))
        workers = [worker.Worker(folder, threads=threads) for _ in range(processes)]
        try:
            yield workers
        finally:
            for one in workers:
                one.close()
