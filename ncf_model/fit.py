"""Trains the network that a configuration describes, of either kind."""

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
from ncf_model.training.training_history import History


class Fitted(NamedTuple):
    """What a training leaves.

    Attributes:
        network: the network with the weights to ship; for the network of users by
            their history, its deep part with iALS.
        trained: the parts of the network of users by their history; None for pairs.
        history: the training, epoch by epoch.
    """

    network: model.NeuMF
    trained: history_fitting.Trained | None
    history: History


def fit(
    network_settings: config.ModelConfig,
    interactions: data.Interactions,
    candidates: validation.Candidates,
    settings: fitting.FitSettings,
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
        network_settings: the network, without any `auto`.
        interactions: the split `train`.
        candidates: the validation lists.
        settings: of the training.
        num_users: size of the user vocabulary.
        num_items: size of the item vocabulary.
        log_dir: where TensorBoard's files go.
        strategy: the tf.distribute strategy; None is TensorFlow's default.
        saved: the checkpoint, which is written after each epoch. If it holds a state,
            the training continues from there.
        carry: puts the tables of a warm start into fresh tables, or into a fresh
            network of pairs; None begins with random numbers.

    Raises:
        ValueError: the loss or a score is not finite, or a step takes more rows than
            an epoch has.
    """
    keras.utils.set_random_seed(settings.seed)
    network = model.NeuMF(
        resolve.dot_product(network_settings), num_users=num_users, num_items=num_items
    )
    # Validation runs on the host, for which TensorFlow's TPU build has no XLA.
    on_tpu = isinstance(strategy, tf.distribute.TPUStrategy)
    validator = validation.Validation.on(
        network, candidates, jit_compile=settings.train.jit_compile and not on_tpu
    )
    where: dict[str, Any] = {"log_dir": log_dir, "strategy": strategy, "saved": saved}
    if network_settings.history is None:
        if carry is not None:
            carry(network)
        history = fitting.fit(network, interactions, validator, settings, **where)
        return Fitted(network, None, history)
    trained, history = history_fitting.fit(
        interactions,
        validator,
        settings,
        network_settings.history,
        num_users=num_users,
        num_items=num_items,
        carry=carry,
        **where,
    )
    history_model.fill(network, trained)
    return Fitted(network, trained, history)
