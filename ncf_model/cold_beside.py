"""The cold training beside a warm one, so that a report can show both."""

import dataclasses
import os
import time
from typing import Any

import tensorflow as tf

from ncf_model import config, fit
from ncf_model.training import data, fitting, validation


def seconds_to_choose(history: dict[str, Any], seconds: float) -> float:
    """Returns how long it took to come to the chosen epoch's model, without a refit."""
    return seconds - (history["refit"] or {"seconds": 0.0})["seconds"]


def train(
    network: config.ModelConfig,
    settings: fitting.Settings,
    interactions: data.Interactions,
    candidates: validation.Candidates,
    *,
    num_users: int,
    num_items: int,
    log_dir: str,
    strategy: tf.distribute.Strategy | None,
) -> dict[str, Any]:
    """Trains from random numbers, on the same rows and lists; ships nothing.

    Args:
        network, settings: those of a cold start.
        interactions, candidates: those of the warm one.
        num_users, num_items: sizes of the vocabularies.
        log_dir: that of the warm one.
        strategy: likewise.

    Returns:
        `epochs`, `best_epoch` and `seconds`, those of a refit left out.
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
    return {
        "epochs": history["epochs"],
        "best_epoch": history["best_epoch"],
        "seconds": time.monotonic() - started,
    }
