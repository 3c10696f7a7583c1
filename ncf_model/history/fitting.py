"""Trains a user's history: what is beside the deep part, then that, epoch after epoch.

The linear part and iALS are fitted once per setting. Their settings and weights and the
epoch are those with the best NDCG@10 on the validation items: in their lists or, where
the evaluation ranks the whole catalogue, there. Then all is trained anew with the
validation items.
"""

import contextlib
import dataclasses
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import config
from ncf_model.history import batches, beside, calibration, catalogue, encoder
from ncf_model.history.trained import Trained, user_item_matrix, vectors
from ncf_model.training import checkpoint, data, epoch_reports, progress, validation
from ncf_model.training import fitting as pairs

CATALOGUE_HIT_RATE = f"catalogue_hit_rate@{validation.CUTOFF}"
CATALOGUE_NDCG = f"catalogue_ndcg@{validation.CUTOFF}"
Carry = Callable[[encoder.Tables], encoder.Tables]


@dataclasses.dataclass
class _Done:
    """What has been trained so far; JSON can hold it."""

    parts: beside.Chosen = dataclasses.field(default_factory=beside.Chosen)
    epochs: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    best: int = 0
    stopped: bool = False
    refit: list[dict[str, Any]] = dataclasses.field(default_factory=list)


def fit(
    interactions: data.Interactions,
    validator: validation.Validation,
    settings: pairs.Settings,
    history: config.HistoryConfig,
    *,
    num_users: int,
    num_items: int,
    log_dir: str,
    strategy: tf.distribute.Strategy | None = None,
    saved: checkpoint.Checkpoint | None = None,
    carry: Carry | None = None,
) -> tuple[Trained, dict[str, Any]]:
    """Returns what to ship, and how it came about.

    Args:
        interactions: the split `train`.
        validator: evaluates on the validation lists.
        settings: of the training.
        history: of the network, resolved.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
        log_dir: where TensorBoard's files go.
        strategy: trains; None is TensorFlow's default.
        saved: written after each epoch; training continues from the state it holds.
        carry: puts what an earlier model knows into fresh tables.

    Raises:
        ValueError: the loss or a score is not finite.
    """
    everywhere = {
        name: getattr(interactions, name).spread(interactions.user_index, num_users)
        for name in ("positives", "validation_items", "eval_items")
    }
    run = _Run(
        *(everywhere, validator, settings, history, num_items),
        *(log_dir, strategy, saved, carry),
    )
    return run.fit()


class _Run:
    """One call of `fit`."""

    def __init__(
        self,
        lists: dict[str, data.Lists],
        validator: validation.Validation,
        settings: pairs.Settings,
        history: config.HistoryConfig,
        num_items: int,
        log_dir: str,
        strategy: tf.distribute.Strategy | None,
        saved: checkpoint.Checkpoint | None,
        carry: Carry | None,
    ) -> None:
        self._carry = carry or (lambda tables: tables)
        self._positives = lists["positives"]
        self._all = self._positives.append(lists["validation_items"])
        self._settings, self._history = settings, history
        whole = settings.sampling.eval_negatives == "all"
        self._decides = CATALOGUE_NDCG if whole else pairs.NDCG
        self._num_items = num_items
        self._saved = saved
        self._matrix = user_item_matrix(self._positives, num_items)
        self._faded = user_item_matrix(self._positives, num_items, history.recency)
        self._validator = catalogue.Catalogue(
            validator,
            self._faded,
            user_item_matrix(self._all.append(lists["eval_items"]), num_items),
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
        self._done = _Done()
        self._hit_rate: float | None = None

    def _fresh(self, positives: data.Lists) -> encoder.Tables:
        fresh = encoder.start(
            self._history,
            counts=np.bincount(positives.values, minlength=self._num_items),
            num_users=len(positives.sizes),
            seed=self._settings.seed,
        )
        return self._carry(fresh)

    def fit(self) -> tuple[Trained, dict[str, Any]]:
        """Does what is left to do."""
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
        weight = done.epochs[done.best - 1]["linear_weight"]
        matrix, factored = self._fitter.fit(
            user_item_matrix(histories, self._num_items), done.parts, weight
        )
        users = tables.user[:-1] if len(tables.user) > 1 else tables.user
        trained = Trained(
            *(self._history, tables._replace(user=users), matrix, histories),
            *(done.parts.l2, weight, curve, factored),
        )
        return trained, self._record(weight, refitting)

    def _calibrate(self) -> calibration.Calibration:
        """Returns what a score means, by the best epoch and the validation items."""
        if not len(self._validator):
            return calibration.AS_IT_IS
        users, tables = self._validator.users, self._best
        return self._validator.calibrate(
            vectors(tables, self._faded[users], users),
            tables.item,
            tables.bias,
            weight=self._done.epochs[self._done.best - 1]["linear_weight"],
            negatives=self._settings.sampling.num_negatives,
        )

    def _record(self, weight: float, refitting: bool) -> dict[str, Any]:
        done, chosen = self._done, self._done.parts
        refit = pairs.summary(done.refit) if refitting else None
        last = refit or done.epochs[done.best - 1]
        return {
            "epochs": done.epochs,
            "best_epoch": done.best,
            "refit": refit,
            "examples_per_second": pairs.median_rate(done.epochs),
            "final_loss": last["loss"],
            "chosen_by": self._decides,
            "history": self._history.model_dump(mode="json"),
            "linear": {
                "items": self._covered,
                "l2": chosen.l2,
                "weight": weight,
                "tried": chosen.linear,
            },
            "ials": {
                "l2": chosen.ials_l2,
                "unobserved": chosen.unobserved,
                "share": chosen.share or 0.0,
                "tried": chosen.ials,
                "shares": chosen.shares,
            },
        }

    def _train(self) -> None:
        """Trains until an end is reached; notes the best epoch and its tables."""
        train, done = self._settings.train, self._done
        if done.stopped:
            return
        first = len(done.epochs) + 1
        for record in self._epochs("train", train.epochs, self._positives, first):
            self._validate(record)
            done.epochs.append(record)
            self._reports.epoch("train", record)
            key = self._key
            if not done.best or key(record) >= key(done.epochs[done.best - 1]):
                done.best = record["epoch"]
                self._best = self._loop.tables()
            target = train.hit_rate_target
            reached = target and record.get(pairs.HIT_RATE, 0.0) >= target
            waited = record["epoch"] - done.best
            if reached or (train.patience and waited >= train.patience):
                logging.info("Stopping after epoch %d", record["epoch"])
                done.stopped = True
            done.stopped |= record["epoch"] == train.epochs
            if self._settings.stop_after:
                done.stopped |= self._settings.stop_after(done.epochs, done.best)
            self._save()
            if done.stopped:
                return

    def _key(self, record: dict[str, Any]) -> float:
        """Returns what makes one epoch better than another; of equals the last is."""
        return record.get(self._decides, record["epoch"])

    def _validate(self, record: dict[str, Any]) -> None:
        """Adds the validation metrics to the record, if there are lists."""
        if not len(self._validator):
            beside_it = self._covered or self._history.has_ials
            weights = self._history.linear_weights
            usual = beside.closest(weights, catalogue.USUAL_WEIGHT)
            record["linear_weight"] = usual if beside_it else 0.0
            return
        tables = self._loop.tables()
        users = self._validator.users
        verdict = self._validator.evaluate(
            vectors(tables, self._faded[users], users), tables.item, tables.bias
        )
        record |= {
            pairs.HIT_RATE: verdict.listed[0],
            pairs.NDCG: verdict.listed[1],
            CATALOGUE_HIT_RATE: verdict.hit_rate,
            CATALOGUE_NDCG: verdict.ndcg,
            "linear_weight": verdict.weight,
            "by_weight": verdict.by_weight,
        }
        self._hit_rate = verdict.listed[0]

    def _refit(self) -> encoder.Tables:
        """Trains from the start with the validation items, for the best's epochs."""
        done = self._done
        self._hit_rate = None
        if not done.refit:
            self._loop.reset(self._fresh(self._all))
        first = len(done.refit) + 1
        for record in self._epochs("refit", done.best, self._all, first):
            self._reports.epoch("refit", record)
            done.refit.append(record)
            self._save()
        return self._loop.tables()

    def _epochs(
        self, phase: progress.Phase, epochs: int, positives: data.Lists, first: int
    ) -> Iterator[dict[str, Any]]:
        """Trains; yields each epoch's record."""
        history = self._history
        source = batches.Batches(
            positives,
            num_items=self._num_items,
            users_per_batch=int(history.users_per_batch),
            dropout=history.dropout,
            most_items=history.softmax_items,
            seed=self._settings.seed,
        )
        # The refit's schedule is as long as training's, though it may stop sooner.
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
            yield {
                "epoch": epoch,
                "loss": loss,
                "seconds": seconds,
                "examples_per_second": done / seconds,
            }

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
                progress.Event(
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
            self._saved.save(dataclasses.asdict(self._done), arrays)

    def _restore(self) -> None:
        """Goes back to where a killed training was."""
        found = self._saved.load() if self._saved else None
        if not self._saved or not found:
            return
        info, arrays = found
        self._done = _Done(**info | {"parts": beside.Chosen(**info["parts"])})
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
