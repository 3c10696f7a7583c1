"""Trains the network of pairs, epoch after epoch.

A training validates after each epoch, keeps the best one, stops early, refits, and
continues after a kill.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator

import numpy as np
import pydantic
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
from ncf_model.training.training_history import Epoch, History

# A function of all epochs so far and of the number of the best one.
StopAfter = Callable[[list[Epoch], int], bool]


@dataclasses.dataclass(frozen=True, kw_only=True)
class FitSettings:
    """The settings of a training.

    Attributes:
        train: the section `train` of the configuration.
        sampling: the section `sampling` of the configuration.
        seed: of every random number.
        stop_after: called after each epoch; returns whether that was the last one. None
            trains all epochs.
    """

    train: config.TrainConfig
    sampling: config.SamplingConfig
    seed: int
    stop_after: StopAfter | None = None


class _PairsProgress(pydantic.BaseModel):
    """What has been trained so far; a checkpoint holds it as JSON.

    Attributes:
        pretraining: the last epoch of each half that was trained alone, by name.
        epochs: of the training without the validation items.
        best: number of the best of `epochs`, from 1; 0 before the first.
        stopped: whether no more of `epochs` will follow.
        refit: epochs with the validation items.
    """

    pretraining: dict[str, Epoch] = {}
    epochs: list[Epoch] = []
    best: int = 0
    stopped: bool = False
    refit: list[Epoch] = []


def fit(
    network: model.NeuMF,
    interactions: data.Interactions,
    validator: validation.Validation,
    settings: FitSettings,
    *,
    log_dir: str,
    strategy: tf.distribute.Strategy | None = None,
    saved: checkpoint.Checkpoint | None = None,
) -> History:
    """Trains `network`, which then has the weights to ship; returns the history.

    The best epoch is the first one with the highest validation HR@10; of equal ones,
    NDCG@10 decides. With `train.refit` the network is then trained anew on the
    validation items too, from the same start, with the same learning rates, for as many
    epochs.

    Without validation lists (no user has three interactions) no epoch can be chosen, so
    all epochs are trained. Without validation items there is no refit.

    Args:
        network: freshly initialised, outside the scope of any strategy.
        interactions: the split `train`.
        validator: evaluates `network` on the validation lists.
        settings: of the training.
        log_dir: where TensorBoard's files go.
        strategy: the tf.distribute strategy; None is TensorFlow's default.
        saved: the checkpoint, which is written after each epoch. If it holds a state,
            the training continues from there, to the same result.

    Raises:
        ValueError: the loss or a score is not finite, or a step takes more rows than
            an epoch has.
    """
    run = _PairsTraining(
        network, interactions, validator, settings, log_dir, strategy, saved
    )
    return run.fit()


class _PairsTraining:
    """One training, from its start or from a checkpoint to what ships."""

    def __init__(
        self,
        network: model.NeuMF,
        interactions: data.Interactions,
        validator: validation.Validation,
        settings: FitSettings,
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
        self._done = _PairsProgress()
        self._start = _weights(network)
        self._best = self._start

    def fit(self) -> History:
        """Does what the checkpoint says is left to do; returns the history."""
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
        pretraining = {"pretraining": done.pretraining} if done.pretraining else {}
        return History.of(
            done.epochs,
            done.best,
            done.refit if refitting else None,
            **pretraining,
        )

    def _loop_of(self, network: model.NeuMF) -> training_loop.TrainingLoop:
        settings = self._settings
        scope = self._strategy.scope() if self._strategy else contextlib.nullcontext()
        with scope:
            return training_loop.TrainingLoop(
                network, settings.train, num_negatives=settings.sampling.num_negatives
            )

    def _pretrain(self) -> None:
        """Trains GMF and MLP alone, and starts the network from both."""
        train = self._settings.train
        halves = {}
        for kind in ("gmf", "mlp"):
            half = pretraining.half(self._network, kind)
            loop = self._loop_of(half)
            epochs = self._epochs(kind, train.pretrain_epochs, half, loop)
            for epoch in epochs:
                self._reports.epoch(kind, epoch)
            self._done.pretraining[kind] = epoch
            halves[kind] = half
        pretraining.fuse(self._network, **halves, alpha=train.pretrain_alpha)
        self._start = _weights(self._network)
        self._loop.reset()
        self._save()

    def _train(self) -> None:
        """Trains until the training shall end; notes the best epoch and its weights."""
        train, done = self._settings.train, self._done
        if done.stopped:
            return
        first = len(done.epochs) + 1
        for trained in self._epochs("train", train.epochs, first=first):
            epoch = self._validated(trained)
            done.epochs.append(epoch)
            self._reports.epoch("train", epoch)
            if not done.best or _key(epoch) > _key(done.epochs[done.best - 1]):
                done.best = epoch.epoch
                self._best = _weights(self._network)
            if self._reached():
                logging.info("Validation HR@10 has reached %s", train.hit_rate_target)
                done.stopped = True
            elif train.patience and epoch.epoch - done.best >= train.patience:
                logging.info("No better epoch since %d: stopping", done.best)
                done.stopped = True
            if self._settings.stop_after:
                done.stopped |= self._settings.stop_after(done.epochs, done.best)
            self._save()
            if done.stopped:
                return
        done.stopped = True

    def _validated(self, epoch: Epoch) -> Epoch:
        """Returns the epoch with its validation metrics, if there are lists."""
        number = epoch.epoch
        self._mlperf.stop("EPOCH", epoch_num=number)
        if not len(self._validator):
            return epoch
        self._mlperf.start("EVAL", epoch_num=number)
        hit_rate, ndcg = self._validator.metrics()
        self._mlperf.event("EVAL_ACCURACY", hit_rate, epoch_num=number)
        self._mlperf.stop("EVAL", epoch_num=number)
        self._hit_rate = hit_rate
        return epoch.model_copy(update={"hit_rate": hit_rate, "ndcg": ndcg})

    def _reached(self) -> bool:
        """Returns whether the last epoch is at the target hit rate."""
        target = self._settings.train.hit_rate_target
        epochs = self._done.epochs
        return bool(target and epochs and (epochs[-1].hit_rate or 0.0) >= target)

    def _refit(self) -> None:
        """Trains anew with the validation items, for as many epochs as were best."""
        self._hit_rate = None
        done = self._done
        if not done.refit:
            self._network.set_weights(self._start)
            self._loop.reset()
        first = len(done.refit) + 1
        for epoch in self._epochs("refit", done.best, first=first):
            self._reports.epoch("refit", epoch)
            done.refit.append(epoch)
            self._save()

    def _save(self) -> None:
        if self._saved:
            arrays = {"start": self._start, "best": self._best}
            arrays["loop"] = self._loop.state()
            done = self._done.model_dump(mode="json", by_alias=True, exclude_none=True)
            self._saved.save(done, arrays)

    def _restore(self) -> bool:
        """Puts back the state of a killed training; returns whether there was one."""
        found = self._saved.load() if self._saved else None
        if not self._saved or not found:
            return False
        info, arrays = found
        self._done = _PairsProgress(**info)
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
    ) -> Iterator[Epoch]:
        """Trains; yields each epoch once its weights are in the network."""
        settings = self._settings
        network, loop = network or self._network, loop or self._loop
        rows = self._rows(phase, network.num_items)
        _check_batch(settings.train.batch_size, rows, loop)
        # A refit that stops sooner still follows the learning rates of the training.
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
                    progress.TrainingProgress(
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
            yield Epoch(
                epoch=epoch,
                loss=loss,
                seconds=seconds,
                examples_per_second=items.size / seconds,
            )


def _check_batch(
    batch_size: int, rows: data.EpochRows, loop: training_loop.TrainingLoop
) -> None:
    if loop.groups_per_step > len(rows):
        raise ValueError(
            f"`train.batch_size` must be at most the rows of an epoch, which has "
            f"{len(rows):,} positives and {len(rows) * loop.group_size:,} rows with "
            f"their negatives; got {batch_size:,}. Set a smaller one."
        )


def _key(epoch: Epoch) -> tuple[float, float]:
    """Returns what makes one epoch better than another; the last one without lists."""
    rate = epoch.epoch if epoch.hit_rate is None else epoch.hit_rate
    return rate, epoch.ndcg or 0.0


def _weights(network: model.NeuMF) -> list[np.ndarray]:
    """Returns copies of the weights, which further training does not change."""
    return [np.array(weight) for weight in network.get_weights()]
