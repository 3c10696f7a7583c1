"""Trains the network of users by their history, epoch after epoch.

First the linear part and iALS, whose scores are added to the deep part's, are fitted
with each of their settings. Then the deep part is trained. The settings, the weight of
the sum and the epoch are those with the best NDCG@10 on the validation items, in their
lists or, where the evaluation ranks the whole catalogue, in the whole catalogue. At the
end everything is trained anew with the validation items included.
"""

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pydantic
import tensorflow as tf
from absl import logging

from ncf_model import config
from ncf_model.history import batches, beside, calibration, catalogue, encoder
from ncf_model.history.recency import user_item_matrix
from ncf_model.history.trained import Trained, vectors
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import checkpoint, data, epoch_reports, progress, validation
from ncf_model.training import fitting as pairs
from ncf_model.training.training_history import (
    Epoch,
    History,
    IalsPart,
    LinearPart,
)

NDCG, CATALOGUE_NDCG = "ndcg@10", "catalogue_ndcg@10"  # As `Epoch` names them.
Carry = Callable[[encoder.Tables], encoder.Tables]


class _HistoryProgress(pydantic.BaseModel):
    """What has been trained so far; a checkpoint holds it as JSON.

    Attributes:
        parts: the settings of the linear part and iALS, as far as chosen.
        epochs: of the training without the validation items.
        best: number of the best of `epochs`, from 1; 0 before the first.
        stopped: whether no more of `epochs` will follow.
        refit: epochs with the validation items.
    """

    parts: beside.ChosenSettings = pydantic.Field(default_factory=beside.ChosenSettings)
    epochs: list[Epoch] = []
    best: int = 0
    stopped: bool = False
    refit: list[Epoch] = []


def fit(
    interactions: data.Interactions,
    validator: validation.Validation,
    settings: pairs.FitSettings,
    history: config.HistoryConfig,
    *,
    num_users: int,
    num_items: int,
    log_dir: str,
    strategy: tf.distribute.Strategy | None = None,
    saved: checkpoint.Checkpoint | None = None,
    carry: Carry | None = None,
) -> tuple[Trained, History]:
    """Returns what to ship, and the history of the training.

    Args:
        interactions: the split `train`.
        validator: evaluates on the validation lists.
        settings: of the training.
        history: the network, without any `auto`.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
        log_dir: where TensorBoard's files go.
        strategy: the tf.distribute strategy; None is TensorFlow's default.
        saved: the checkpoint, which is written after each epoch. If it holds a state,
            the training continues from there.
        carry: puts the tables of a warm start into fresh tables; None begins with
            random numbers.

    Raises:
        ValueError: the loss or a score is not finite.
    """
    everywhere = {
        name: getattr(interactions, name).spread(interactions.user_index, num_users)
        for name in ("positives", "validation_items", "eval_items")
    }
    run = _HistoryTraining(
        *(everywhere, validator, settings, history, num_items),
        *(log_dir, strategy, saved, carry),
    )
    return run.fit()


class _HistoryTraining:
    """One training, from its start or from a checkpoint to what ships."""

    def __init__(
        self,
        lists: dict[str, Ragged],
        validator: validation.Validation,
        settings: pairs.FitSettings,
        history: config.HistoryConfig,
        num_items: int,
        log_dir: str,
        strategy: tf.distribute.Strategy | None,
        saved: checkpoint.Checkpoint | None,
        carry: Carry | None,
    ) -> None:
        self._carry = carry or (lambda tables: tables)
        self._positives = lists["positives"]
        self._all = self._positives.then(lists["validation_items"])
        self._settings, self._history = settings, history
        whole = settings.sampling.eval_negatives == "all"
        self._decides = CATALOGUE_NDCG if whole else NDCG
        self._num_items = num_items
        self._saved = saved
        self._matrix = user_item_matrix(self._positives, num_items)
        self._faded = user_item_matrix(self._positives, num_items, history.recency)
        self._validator = catalogue.Catalogue(
            validator,
            self._faded,
            user_item_matrix(self._all.then(lists["eval_items"]), num_items),
            weights=history.linear_weights,
            by_lists=settings.sampling.eval_negatives != "all",
            seed=settings.seed,
        )
        self._covered = min(history.linear_items, num_items)
        self._fitter = beside.Fitter(
            history, self._validator, decides=self._decides, num_items=num_items
        )
        self._start = self._fresh(self._positives)
        with strategy.scope() if strategy else contextlib.nullcontext():
            self._loop = encoder.Loop(
                self._start, history, jit_compile=settings.train.jit_compile
            )
        self._reports = epoch_reports.EpochReports(log_dir)
        self._best = self._start
        self._done = _HistoryProgress()
        self._hit_rate: float | None = None

    def _fresh(self, positives: Ragged) -> encoder.Tables:
        fresh = encoder.start(
            self._history,
            counts=np.bincount(positives.values, minlength=self._num_items),
            num_users=len(positives.sizes),
            seed=self._settings.seed,
        )
        return self._carry(fresh)

    def fit(self) -> tuple[Trained, History]:
        """Does what the checkpoint says is left to do."""
        done, train = self._done, self._settings.train
        self._restore()
        done = self._done
        self._fitter.choose(self._matrix, done.parts)
        self._train()
        refitting = train.refit and len(self._all.values) > len(self._positives.values)
        tables, histories = self._best, self._positives
        curve = self._calibrate()
        if refitting:
            tables, histories = self._refit(), self._all
        weight = self._best_weight()
        matrix, factored = self._fitter.fit(
            user_item_matrix(histories, self._num_items), done.parts, weight
        )
        users = tables.user[:-1] if len(tables.user) > 1 else tables.user
        trained = Trained(
            *(self._history, tables._replace(user=users), matrix, histories),
            *(done.parts.l2, weight, curve, factored),
        )
        return trained, self._told(weight, refitting)

    def _calibrate(self) -> calibration.Calibration:
        """Returns the curve from scores to probabilities, by the validation items."""
        if not len(self._validator):
            return calibration.AS_IT_IS
        users, tables = self._validator.users, self._best
        return self._validator.calibrate(
            vectors(tables, self._faded[users], users),
            tables.item,
            tables.bias,
            weight=self._best_weight(),
            negatives=self._settings.sampling.num_negatives,
        )

    def _best_weight(self) -> float:
        """Returns the weight of the sum of linear part and iALS in the best epoch."""
        return self._done.epochs[self._done.best - 1].linear_weight or 0.0

    def _told(self, weight: float, refitting: bool) -> History:
        done, chosen = self._done, self._done.parts
        return History.of(
            done.epochs,
            done.best,
            done.refit if refitting else None,
            chosen_by=self._decides,
            history=self._history.model_dump(mode="json"),
            linear=LinearPart(
                items=self._covered, l2=chosen.l2, weight=weight, tried=chosen.linear
            ),
            ials=IalsPart(
                l2=chosen.ials_l2,
                unobserved=chosen.unobserved,
                share=chosen.share or 0.0,
                tried=chosen.ials,
                shares=chosen.shares,
            ),
        )

    def _train(self) -> None:
        """Trains until the training shall end; notes the best epoch and its tables."""
        train, done = self._settings.train, self._done
        if done.stopped:
            return
        first = len(done.epochs) + 1
        for trained in self._epochs("train", train.epochs, self._positives, first):
            epoch = self._validated(trained)
            done.epochs.append(epoch)
            self._reports.epoch("train", epoch)
            key = self._key
            if not done.best or key(epoch) >= key(done.epochs[done.best - 1]):
                done.best = epoch.epoch
                self._best = self._loop.tables()
            target = train.hit_rate_target
            reached = target and (epoch.hit_rate or 0.0) >= target
            waited = epoch.epoch - done.best
            if reached or (train.patience and waited >= train.patience):
                logging.info("Stopping after epoch %d", epoch.epoch)
                done.stopped = True
            done.stopped |= epoch.epoch == train.epochs
            if self._settings.stop_after:
                done.stopped |= self._settings.stop_after(done.epochs, done.best)
            self._save()
            if done.stopped:
                return

    def _key(self, epoch: Epoch) -> float:
        """Returns the figure that chooses the best epoch; of equals the last wins."""
        value = epoch.catalogue_ndcg if self._decides == CATALOGUE_NDCG else epoch.ndcg
        return epoch.epoch if value is None else value

    def _validated(self, epoch: Epoch) -> Epoch:
        """Returns the epoch with its validation metrics, if there are lists."""
        if not len(self._validator):
            beside_it = self._covered or self._history.has_ials
            weights = self._history.linear_weights
            usual = beside.closest(weights, catalogue.USUAL_WEIGHT)
            weight = usual if beside_it else 0.0
            return epoch.model_copy(update={"linear_weight": weight})
        tables = self._loop.tables()
        users = self._validator.users
        verdict = self._validator.evaluate(
            vectors(tables, self._faded[users], users), tables.item, tables.bias
        )
        self._hit_rate = verdict.listed[0]
        return epoch.model_copy(
            update={
                "hit_rate": verdict.listed[0],
                "ndcg": verdict.listed[1],
                "catalogue_hit_rate": verdict.hit_rate,
                "catalogue_ndcg": verdict.ndcg,
                "linear_weight": verdict.weight,
                "by_weight": verdict.by_weight,
            }
        )

    def _refit(self) -> encoder.Tables:
        """Trains anew with the validation items, for as many epochs as were best."""
        done = self._done
        self._hit_rate = None
        if not done.refit:
            self._loop.reset(self._fresh(self._all))
        first = len(done.refit) + 1
        for epoch in self._epochs("refit", done.best, self._all, first):
            self._reports.epoch("refit", epoch)
            done.refit.append(epoch)
            self._save()
        return self._loop.tables()

    def _epochs(
        self, phase: progress.Phase, epochs: int, positives: Ragged, first: int
    ) -> Iterator[Epoch]:
        """Trains; yields each epoch."""
        history = self._history
        source = batches.UserBatches(
            positives,
            num_items=self._num_items,
            users_per_batch=int(history.users_per_batch),
            dropout=history.dropout,
            most_items=history.softmax_items,
            seed=self._settings.seed,
        )
        # A refit that stops sooner still follows the learning rates of the training.
        decay_steps = len(source) * self._settings.train.epochs
        for epoch in range(first, epochs + 1):
            started = time.monotonic()
            done, losses = 0, []
            steps = source.prefetched(epoch)
            for number, batch in enumerate(steps, (epoch - 1) * len(source)):
                rate = history.learning_rate * (
                    1 + np.cos(np.pi * number / decay_steps)
                )
                losses.append(self._loop.step(batch, rate=rate / 2, epoch=epoch))
                done += int(np.count_nonzero(batch.cells))
                seconds = time.monotonic() - started
                self._emit(
                    phase,
                    epoch,
                    epochs,
                    len(losses) / len(source),
                    done / seconds,
                    losses,
                )
            loss = _finite(losses, f"{phase} epoch {epoch}")
            seconds = time.monotonic() - started
            yield Epoch(
                epoch=epoch,
                loss=loss,
                seconds=seconds,
                examples_per_second=done / seconds,
            )

    def _emit(
        self,
        phase: progress.Phase,
        epoch: int,
        epochs: int,
        fraction: float,
        rate: float,
        losses: Sequence[tf.Tensor],
    ) -> None:
        if self._reports.is_due(fraction):
            progress.emit(
                progress.TrainingProgress(
                    phase=phase,
                    epoch=epoch,
                    epochs=epochs,
                    fraction=fraction,
                    examples_per_second=rate,
                    loss=float(losses[-1]),
                    hit_rate=self._hit_rate,
                )
            )

    def _save(self) -> None:
        if self._saved:
            arrays = {"best": list(self._best), "loop": self._loop.state()}
            done = self._done.model_dump(mode="json", by_alias=True, exclude_none=True)
            self._saved.save(done, arrays)

    def _restore(self) -> None:
        """Puts back the state of a killed training, if the checkpoint holds one."""
        found = self._saved.load() if self._saved else None
        if not self._saved or not found:
            return
        info, arrays = found
        self._done = _HistoryProgress(**info)
        self._best = encoder.Tables(*arrays["best"])
        self._loop.restore(arrays["loop"])
        logging.info(
            "Going on from %s: %d epochs and %d of the refit are done",
            self._saved.path,
            len(self._done.epochs),
            len(self._done.refit),
        )


def _finite(losses: Sequence[tf.Tensor], name: str) -> float:
    values = np.array([float(loss) for loss in losses])
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise ValueError(
            f"The loss must be finite; in step {bad[0] + 1} of {name} it is "
            f"{values[bad[0]]}. Try a smaller `model.history.learning_rate`."
        )
    return float(values.mean())
