"""Epoch after epoch: train, validate, keep the best, stop, refit, survive a kill."""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import config
from ncf_model.network import model
from ncf_model.training import (
    checkpoint,
    data,
    epoch_reports,
    mlperf,
    pretraining,
    progress,
    training_loop,
    validation,
)

HIT_RATE = f"hit_rate@{validation.CUTOFF}"
NDCG = f"ndcg@{validation.CUTOFF}"

# Called with the records of all epochs so far and the number of the best of them.
StopAfter = Callable[[list[dict[str, Any]], int], bool]


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What `fit` needs to know.

    Attributes:
        train, sampling: see `config`.
        seed: of every draw.
        stop_after: asked after each epoch whether it is the last; None never says so.
    """

    train: config.TrainConfig
    sampling: config.SamplingConfig
    seed: int
    stop_after: StopAfter | None = None


@dataclasses.dataclass
class _Done:
    """What has been trained so far; JSON can hold it.

    Attributes:
        pretraining: per half its last epoch's record.
        epochs: of the training without the validation items.
        best: number of the best of them, from 1; 0 before the first.
        stopped: no more of them will follow.
        refit: epochs with the validation items.
    """

    pretraining: dict[str, dict[str, Any]] = dataclasses.field(default_factory=dict)
    epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: int = 0
    stopped: bool = False
    refit: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def fit(
    network: model.NeuMF,
    interactions: data.Interactions,
    validator: validation.Validation,
    settings: Settings,
    *,
    log_dir: str,
    strategy: tf.distribute.Strategy | None = None,
    saved: checkpoint.Checkpoint | None = None,
) -> dict[str, Any]:
    """Leaves the weights to ship in `network` and returns the history.

    The best epoch is the first with the highest validation HR@10, NDCG@10 deciding
    between equals. With `refit` the network is then trained anew, from the same start
    and along the same learning rates, for as many epochs, on the validation items too.

    Without validation lists (nobody has three interactions) nothing can be chosen:
    all epochs are trained. Without validation items a refit would change nothing.

    Args:
        network: freshly initialised, outside any strategy: it lives in this process.
        interactions: the split `train`.
        validator: bound to `network`.
        settings: how.
        log_dir: where TensorBoard's files go.
        strategy: trains; None is TensorFlow's default.
        saved: written after each epoch; training continues from the state it holds, to
            the same end.

    Raises:
        ValueError: the loss or a score is not finite, or a step takes more rows than
            an epoch has.
    """
    run = _Run(network, interactions, validator, settings, log_dir, strategy, saved)
    return run.fit()


class _Run:
    """One call of `fit`."""

    def __init__(
        self,
        network: model.NeuMF,
        interactions: data.Interactions,
        validator: validation.Validation,
        settings: Settings,
        log_dir: str,
        strategy: tf.distribute.Strategy | None,
        saved: checkpoint.Checkpoint | None,
    ) -> None:
        self._network = network
        self._interactions = interactions
        self._validator = validator
        self._settings = settings
        self._saved = saved
        self._log_dir = log_dir
        self._strategy = strategy
        self._loop = self._loop_of(network)
        self._reports = epoch_reports.EpochReports(log_dir)
        positives = len(interactions.positives.values)
        self._mlperf = mlperf.Log(
            settings.train,
            seed=settings.seed,
            train_samples=positives * (1 + settings.sampling.num_negatives),
            eval_samples=len(validator),
        )
        self._hit_rate: float | None = None
        self._done = _Done()
        self._start = _weights(network)
        self._best = self._start

    def fit(self) -> dict[str, Any]:
        """Does what is left to do; returns the history."""
        train = self._settings.train
        if not self._restore() and train.pretrain_epochs:
            self._pretrain()
        self._mlperf.stop("INIT")
        self._mlperf.start("RUN")
        self._train()
        self._mlperf.stop("RUN", status="success" if self._reached() else "aborted")
        self._mlperf.copy_to(self._log_dir)
        refitting = train.refit and len(self._interactions.validation_items.values)
        if refitting:
            self._refit()
        else:
            self._network.set_weights(self._best)
        done = self._done
        refit = summary(done.refit) if refitting else None
        last = refit or done.epochs[done.best - 1]
        history = {
            "epochs": done.epochs,
            "best_epoch": done.best,
            "refit": refit,
            "examples_per_second": median_rate(done.epochs),
            "final_loss": last["loss"],
        }
        if done.pretraining:
            history["pretraining"] = done.pretraining
        return history

    def _loop_of(self, network: model.NeuMF) -> training_loop.TrainingLoop:
        settings = self._settings
        scope = self._strategy.scope() if self._strategy else contextlib.nullcontext()
        with scope:
            return training_loop.TrainingLoop(
                network, settings.train, num_negatives=settings.sampling.num_negatives
            )

    def _pretrain(self) -> None:
        """Starts from GMF and MLP, each trained alone."""
        train = self._settings.train
        halves = {}
        for kind in ("gmf", "mlp"):
            half = pretraining.half(self._network, kind)
            loop = self._loop_of(half)
            epochs = self._epochs(kind, train.pretrain_epochs, half, loop)
            for record in epochs:
                self._reports.epoch(kind, record)
            self._done.pretraining[kind] = record
            halves[kind] = half
        pretraining.fuse(self._network, **halves, alpha=train.pretrain_alpha)
        self._start = _weights(self._network)
        self._loop.reset()
        self._save()

    def _train(self) -> None:
        """Trains until an end is reached; notes the best epoch and its weights."""
        train, done = self._settings.train, self._done
        if done.stopped:
            return
        first = len(done.epochs) + 1
        for record in self._epochs("train", train.epochs, first=first):
            self._validate(record)
            done.epochs.append(record)
            self._reports.epoch("train", record)
            if not done.best or _key(record) > _key(done.epochs[done.best - 1]):
                done.best = record["epoch"]
                self._best = _weights(self._network)
            if self._reached():
                logging.info("Validation HR@10 has reached %s", train.hit_rate_target)
                done.stopped = True
            elif train.patience and record["epoch"] - done.best >= train.patience:
                logging.info("No better epoch since %d: stopping", done.best)
                done.stopped = True
            if self._settings.stop_after:
                done.stopped |= self._settings.stop_after(done.epochs, done.best)
            self._save()
            if done.stopped:
                return
        done.stopped = True

    def _validate(self, record: dict[str, Any]) -> None:
        """Adds the validation metrics to the record, if there are lists."""
        number = record["epoch"]
        self._mlperf.stop("EPOCH", epoch_num=number)
        if not len(self._validator):
            return
        self._mlperf.start("EVAL", epoch_num=number)
        record[HIT_RATE], record[NDCG] = self._validator.metrics()
        self._mlperf.event("EVAL_ACCURACY", record[HIT_RATE], epoch_num=number)
        self._mlperf.stop("EVAL", epoch_num=number)
        self._hit_rate = record[HIT_RATE]

    def _reached(self) -> bool:
        """Returns whether the last epoch is at the target hit rate."""
        target = self._settings.train.hit_rate_target
        records = self._done.epochs
        return bool(target and records and records[-1].get(HIT_RATE, 0.0) >= target)

    def _refit(self) -> None:
        """Trains from the start with the validation items, for the best's epochs."""
        self._hit_rate = None
        done = self._done
        if not done.refit:
            self._network.set_weights(self._start)
            self._loop.reset()
        first = len(done.refit) + 1
        for record in self._epochs("refit", done.best, first=first):
            self._reports.epoch("refit", record)
            done.refit.append(record)
            self._save()

    def _save(self) -> None:
        if self._saved:
            arrays = {"start": self._start, "best": self._best}
            arrays["loop"] = self._loop.state()
            self._saved.save(dataclasses.asdict(self._done), arrays)

    def _restore(self) -> bool:
        """Goes back to where a killed training was; returns whether there was one."""
        found = self._saved.load() if self._saved else None
        if not self._saved or not found:
            return False
        info, arrays = found
        self._done = _Done(**info)
        self._start, self._best = arrays["start"], arrays["best"]
        self._loop.restore(arrays["loop"])
        epochs, refit = len(self._done.epochs), len(self._done.refit)
        logging.info(
            "Going on from %s: %d epochs and %d of the refit are done",
            self._saved.path,
            epochs,
            refit,
        )
        return True

    def _rows(self, phase: progress.Phase, num_items: int) -> data.EpochRows:
        return data.EpochRows(
            self._interactions,
            self._settings.sampling,
            num_items=num_items,
            seed=self._settings.seed,
            refit=phase == "refit",
        )

    def _epochs(
        self,
        phase: progress.Phase,
        epochs: int,
        network: model.NeuMF | None = None,
        loop: training_loop.TrainingLoop | None = None,
        *,
        first: int = 1,
    ) -> Iterator[dict[str, Any]]:
        """Trains; yields each epoch's record once its weights are in the network."""
        settings = self._settings
        network, loop = network or self._network, loop or self._loop
        rows = self._rows(phase, network.num_items)
        _check_batch(settings.train.batch_size, rows, loop)
        # The refit's schedule is as long as training's, though it may stop sooner.
        length = epochs if phase in ("gmf", "mlp") else settings.train.epochs
        cosine = settings.train.learning_rate_schedule == "cosine"
        decay_steps = loop.steps(len(rows)) * length if cosine else 0
        draws = settings.train.first_draw(phase)
        drawn = data.prefetched(rows, range(draws + first - 1, draws + epochs))
        for epoch, (users, items) in enumerate(drawn, first):
            started = time.monotonic()
            name = f"{phase} epoch {epoch}"
            if phase == "train":
                self._mlperf.start("EPOCH", epoch_num=epoch)
            for done, loss in loop.epoch(users, items, decay_steps, name=name):
                if not self._reports.is_due(done / len(users)):
                    continue
                seconds = time.monotonic() - started
                progress.emit(
                    progress.Event(
                        phase=phase,
                        epoch=epoch,
                        epochs=epochs,
                        fraction=done / len(users),
                        examples_per_second=done * items.shape[1] / seconds,
                        loss=loss,
                        hit_rate=self._hit_rate,
                    )
                )
            loop.write_weights(decay_steps=decay_steps)
            seconds = time.monotonic() - started
            yield {
                "epoch": epoch,
                "loss": loss,
                "seconds": seconds,
                "examples_per_second": items.size / seconds,
            }


def _check_batch(
    batch_size: int, rows: data.EpochRows, loop: training_loop.TrainingLoop
) -> None:
    if loop.groups_per_step > len(rows):
        raise ValueError(
            f"`train.batch_size` must be at most the rows of an epoch, which has "
            f"{len(rows):,} positives and {len(rows) * loop.group_size:,} rows with "
            f"their negatives; got {batch_size:,}. Set a smaller one."
        )


def _key(record: dict[str, Any]) -> tuple[float, float]:
    """Returns what makes one epoch better than another."""
    return record.get(HIT_RATE, record["epoch"]), record.get(NDCG, 0.0)


def median_rate(records: list[dict[str, Any]]) -> float:
    """Returns examples per second."""
    return float(np.median([record["examples_per_second"] for record in records]))


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Returns the refit's entry in the history."""
    return {
        "epochs": len(records),
        "loss": records[-1]["loss"],
        "seconds": sum(record["seconds"] for record in records),
        "examples_per_second": median_rate(records),
    }


def _weights(network: model.NeuMF) -> list[np.ndarray]:
    """Returns copies of the weights, which training does not reach."""
    return [np.array(weight) for weight in network.get_weights()]
