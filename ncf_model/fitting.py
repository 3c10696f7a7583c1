"""Epoch after epoch: train, judge, keep the best, stop early, refit."""

import dataclasses
import os
import time
from collections.abc import Iterator
from typing import Any, get_args

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import config, data, model, progress, training_loop, validation

HIT_RATE = f"hit_rate@{validation.CUTOFF}"
NDCG = f"ndcg@{validation.CUTOFF}"
_SECONDS_BETWEEN_EVENTS = 0.2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Settings:
    """What `fit` needs to know: see `config`; `seed` is of every draw."""

    train: config.TrainConfig
    sampling: config.SamplingConfig
    seed: int


def fit(
    network: model.NeuMF,
    interactions: data.Interactions,
    judge: validation.Validation,
    settings: Settings,
    *,
    log_dir: str,
) -> dict[str, Any]:
    """Leaves the weights to ship in `network` and returns the history.

    The best epoch is the first with the highest validation HR@10, NDCG@10 deciding
    between equals. With `refit` the network is then trained anew, from the same start
    and along the same learning rates, for as many epochs, on the validation items too.

    Without validation lists (nobody has three interactions) nothing can be chosen:
    all epochs are trained. Without validation items a refit would change nothing.

    Args:
        network: freshly initialised.
        interactions: the split `train`.
        judge: bound to `network`.
        settings: how.
        log_dir: where TensorBoard's files go.

    Raises:
        ValueError: the loss or a score is not finite.
    """
    start = _weights(network)
    train = settings.train
    loop = training_loop.TrainingLoop(
        network, train, num_negatives=settings.sampling.num_negatives
    )
    run = _Run(network, loop, interactions, settings, log_dir)
    epochs, best, weights = run.train(judge)
    history: dict[str, Any] = {"epochs": epochs, "best_epoch": best, "refit": None}
    if train.refit and len(interactions.validation_items.values):
        network.set_weights(start)
        loop.reset()
        history["refit"] = run.refit(best)
    else:
        network.set_weights(weights)
    last = history["refit"] or epochs[best - 1]
    rates = [epoch["examples_per_second"] for epoch in epochs]
    return history | {
        "examples_per_second": float(np.median(rates)),
        "final_loss": last["loss"],
    }


class _Run:
    """What the two phases share."""

    def __init__(
        self,
        network: model.NeuMF,
        loop: training_loop.TrainingLoop,
        interactions: data.Interactions,
        settings: Settings,
        log_dir: str,
    ) -> None:
        self._network = network
        self._loop = loop
        self._interactions = interactions
        self._settings = settings
        self._writers = {
            phase: tf.summary.create_file_writer(os.path.join(log_dir, phase))
            for phase in get_args(progress.Phase)
        }
        self._hit_rate: float | None = None
        self._emitted = -np.inf

    def train(
        self, judge: validation.Validation
    ) -> tuple[list[dict[str, Any]], int, list[np.ndarray]]:
        """Returns the epochs' records, the best one's number, and its weights."""
        train = self._settings.train
        done: list[dict[str, Any]] = []
        best, best_key, weights = 0, (-1.0, -1.0), []
        for record in self._epochs("train", train.epochs, refit=False):
            if len(judge):
                record[HIT_RATE], record[NDCG] = judge.metrics()
                self._hit_rate = record[HIT_RATE]
            done.append(record)
            self._log("train", record)
            key = (record.get(HIT_RATE, record["epoch"]), record.get(NDCG, 0.0))
            if key > best_key:
                best, best_key = record["epoch"], key
                weights = _weights(self._network)
            elif train.patience and record["epoch"] - best >= train.patience:
                logging.info("No better epoch since %d: stopping", best)
                break
        return done, best, weights

    def refit(self, epochs: int) -> dict[str, Any]:
        """Trains from the start with the validation items; returns its summary."""
        self._hit_rate = None
        records = []
        for record in self._epochs("refit", epochs, refit=True):
            self._log("refit", record)
            records.append(record)
        rates = [record["examples_per_second"] for record in records]
        return {
            "epochs": epochs,
            "loss": records[-1]["loss"],
            "seconds": sum(record["seconds"] for record in records),
            "examples_per_second": float(np.median(rates)),
        }

    def _epochs(
        self, phase: progress.Phase, epochs: int, *, refit: bool
    ) -> Iterator[dict[str, Any]]:
        """Trains; yields each epoch's record once its weights are in the network."""
        settings = self._settings
        rows = data.EpochRows(
            self._interactions,
            settings.sampling,
            num_items=self._network.num_items,
            seed=settings.seed,
            refit=refit,
        )
        # The refit's schedule is as long as training's, though it may stop sooner.
        steps = self._loop.steps(len(rows)) * settings.train.epochs
        cosine = settings.train.learning_rate_schedule == "cosine"
        horizon = steps if cosine else 0
        for epoch, (users, items) in enumerate(data.prefetched(rows, epochs), 1):
            started = time.monotonic()
            name = f"{phase} epoch {epoch}"
            for done, loss in self._loop.epoch(users, items, horizon, name=name):
                seconds = time.monotonic() - started
                event = progress.Event(
                    phase=phase,
                    epoch=epoch,
                    epochs=epochs,
                    fraction=done / len(users),
                    examples_per_second=done * items.shape[1] / seconds,
                    loss=loss,
                    hit_rate=self._hit_rate,
                )
                self._emit(event)
            self._loop.publish(horizon=horizon)
            seconds = time.monotonic() - started
            yield {
                "epoch": epoch,
                "loss": loss,
                "seconds": seconds,
                "examples_per_second": items.size / seconds,
            }

    def _emit(self, event: progress.Event) -> None:
        now = time.monotonic()
        if event.fraction == 1.0 or now - self._emitted >= _SECONDS_BETWEEN_EVENTS:
            self._emitted = now
            progress.emit(event)

    def _log(self, phase: progress.Phase, record: dict[str, Any]) -> None:
        values = {name: value for name, value in record.items() if name != "epoch"}
        logging.info(
            "%s epoch %d: %s",
            phase,
            record["epoch"],
            ", ".join(f"{name} {value:.4g}" for name, value in values.items()),
        )
        with self._writers[phase].as_default(step=record["epoch"]):
            for name, value in values.items():
                tf.summary.scalar(name, value)


def _weights(network: model.NeuMF) -> list[np.ndarray]:
    """Returns copies of the weights, which training does not reach."""
    return [np.array(weight) for weight in network.get_weights()]
