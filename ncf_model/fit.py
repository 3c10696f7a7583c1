"""Trains the network that a configuration describes, of whichever kind."""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ncf_model import config
from ncf_model.history import fitting as history_fitting
from ncf_model.history import resolve
from ncf_model.network import model
from ncf_model.serving import history_model
from ncf_model.training import checkpoint, data, fitting, validation


class Fitted(NamedTuple):
    """What a training leaves.

    Attributes:
        network: with the weights to ship; of a user's history the deep part.
        trained: a user's history; None for the network of pairs.
        history: how it came about.
    """

    network: model.NeuMF
    trained: history_fitting.Trained | None
    history: dict[str, Any]


def fit(
    network_settings: config.ModelConfig,
    interactions: data.Interactions,
    candidates: validation.Candidates,
    settings: fitting.Settings,
    *,
    num_users: int,
    num_items: int,
    log_dir: str,
    strategy: tf.distribute.Strategy | None = None,
    saved: checkpoint.Checkpoint | None = None,
    carry: Callable[[Any], Any] | None = None,
) -> Fitted:
    """Trains, from weights that depend on the seed alone.

    Args:
        network_settings: resolved.
        interactions: the split `train`.
        candidates: the validation lists.
        settings: of the training.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
        log_dir: where TensorBoard's files go.
        strategy: trains; None is TensorFlow's default.
        saved: written after each epoch, gone on from where it holds a state.
        carry: gives what a warm start begins with to fresh tables of a user's history,
            or to a fresh network of pairs.

    Raises:
        ValueError: the loss or a score is not finite, or a step takes more rows than
            an epoch has.
    """
    keras.utils.set_random_seed(settings.seed)
    network = model.NeuMF(
        resolve.dot_product(network_settings), num_users=num_users, num_items=num_items
    )
    # Validation is done on the host, for which TensorFlow's TPU build has no XLA.
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    judge = validation.Validation.on(
        network, candidates, jit_compile=settings.train.jit_compile and not on_tpu
    )
    where: dict[str, Any] = {"log_dir": log_dir, "strategy": strategy, "saved": saved}
    if network_settings.history is None:
        if carry is not None:
            carry(network)
        history = fitting.fit(network, interactions, judge, settings, **where)
        return Fitted(network, None, history)
    trained, history = history_fitting.fit(
        interactions,
        judge,
        settings,
        network_settings.history,
        num_users=num_users,
        num_items=num_items,
        carry=carry,
        **where,
    )
    history_model.fill(network, trained)
    return Fitted(network, trained, history)
