"""The cold training beside a warm start, so that a report can show both."""

import dataclasses
import os
import time

import tensorflow as tf

from ncf_model import config, fit
from ncf_model.training import data, fitting, validation
from ncf_model.training.training_history import Cold, History


def seconds_to_choose(history: History, seconds: float) -> float:
    """Returns the seconds until the chosen epoch's model was there, without a refit.

    Args:
        history: of the training.
        seconds: how long the whole training took.
    """
    return seconds - (history.refit.seconds if history.refit else 0.0)


def train(
    network: config.ModelConfig,
    settings: fitting.FitSettings,
    interactions: data.Interactions,
    candidates: validation.Candidates,
    *,
    num_users: int,
    num_items: int,
    log_dir: str,
    strategy: tf.distribute.Strategy | None,
) -> Cold:
    """Trains from random numbers on the rows and lists of a warm start; ships nothing.

    Args:
        network: the settings of the network, as without a warm start.
        settings: the settings of the training, as without a warm start.
        interactions: the split `train`, which the warm training had too.
        candidates: the validation lists, which the warm training had too.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
        log_dir: TensorBoard's folder of the warm training; `cold` is made in it.
        strategy: the warm training's tf.distribute strategy; None is the default.
    """
    started = time.monotonic()
    alone = settings.train.model_copy(update={"refit": False})
    _, _, history = fit.fit(
        network,
        interactions,
        candidates,
        dataclasses.replace(settings, train=alone, stop_after=None),
        num_users=num_users,
        num_items=num_items,
        log_dir=os.path.join(log_dir, "cold"),
        strategy=strategy,
    )
    return Cold(
        epochs=history.epochs,
        best_epoch=history.best_epoch,
        seconds=time.monotonic() - started,
    )
