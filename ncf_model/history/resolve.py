"""Replaces `auto` in `model.history` by values that suit the size of the data."""

import numpy as np
from absl import logging

from ncf_model import config
from ncf_model.training import data

# With so many steps an epoch, training settles in 15 epochs, whatever the data's size.
_STEPS_PER_EPOCH = 24
_FEWEST_USERS, _MOST_USERS = 32, 256
# From so many interactions on, tables of 128 columns have enough to learn from.
_LARGE = 500_000


def resolve(
    settings: config.ModelConfig, interactions: data.Interactions, *, num_items: int
) -> config.ModelConfig:
    """Returns `settings` without any `auto` in their `history`.

    Args:
        settings: as configured, with a `history`.
        interactions: what there is to train on.
        num_items: size of the item vocabulary.
    """
    sizes = interactions.positives.sizes
    factors = 128 if sizes.sum() >= _LARGE else 64
    wanted = max(1, np.count_nonzero(sizes) // _STEPS_PER_EPOCH)
    users = 1 << (int(wanted).bit_length() - 1)
    chosen = {
        "factors": min(factors, num_items),
        "users_per_batch": min(max(users, _FEWEST_USERS), _MOST_USERS),
    }
    values = settings.history.model_dump() if settings.history else {}
    auto = {name: chosen[name] for name in chosen if values[name] == config.AUTO}
    logging.info("Settings of `model.history` from the data's shape: %s", auto)
    return config.ModelConfig(history=config.HistoryConfig(**{**values, **auto}))


def dot_product(settings: config.ModelConfig) -> config.ModelConfig:
    """Returns the network of pairs that holds the deep part and iALS, once trained.

    Args:
        settings: the network, without any `auto`; a network of pairs stays as it is.
    """
    history = settings.history
    if history is None:
        return settings
    return config.ModelConfig(
        type="gmf", mf_dim=history.width, biases=True, gmf_output="ones"
    )
