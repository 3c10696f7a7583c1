"""A training of the network of pairs that begins where the served model ended.

A served model of pairs has its tables multiplied with the weights above them. So one
that a later night may begin with keeps the tables themselves, too.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ncf_model import config, features
from ncf_model.network import model
from ncf_model.training import data, known

# Names of a SavedModel's variables, as `saved_model.ServingModel` has them.
_KEPT, _WEIGHTS = "_kept", "_weights"
_USER_ROWS, _ITEM_ROWS, _SIZES = "user_rows", "item_rows", "sizes"
_NETWORK = "network"
# What the columns of the tables mean; two networks of one shape may differ in it.
_MEANING = {"type", "mf_dim", "layers", "biases", "gmf_output"}


@dataclasses.dataclass(frozen=True)
class Base(known.Known):
    """What a served model of pairs knows.

    Attributes:
        users, items: the tables, without the row of what is unknown.
        weights: those of the network above the tables.
        network: what its tables' columns mean, see `_describe`.
    """

    users: np.ndarray
    items: np.ndarray
    weights: list[np.ndarray]
    network: str


def state(network: model.NeuMF, histories: data.Lists) -> dict[str, np.ndarray]:
    """Returns what a SavedModel keeps for the next night beside what it serves by.

    Args:
        network: trained.
        histories: what each user, by index, was trained on.
    """
    return {
        _USER_ROWS: network.user_table.embeddings.numpy()[:-1],
        _ITEM_ROWS: network.item_table.embeddings.numpy()[:-1],
        _SIZES: histories.sizes,
        _NETWORK: np.frombuffer(_describe(network.settings).encode(), np.uint8),
    }


def _describe(network: config.ModelConfig) -> str:
    return network.model_dump_json(include=_MEANING)


def read(path: str) -> Base:
    """Reads a SavedModel of the network of pairs; needs none of its functions.

    Raises:
        ValueError: it is not one, or keeps no tables.
    """
    try:
        variables = known.variables(path)
        users, items, sizes, network = (
            variables[f"{_KEPT}/{name}"]
            for name in (_USER_ROWS, _ITEM_ROWS, _SIZES, _NETWORK)
        )
        seen = data.Lists(variables["_seen"], variables["_seen_offsets"][:-1])
        count = sum(name.startswith(f"{_WEIGHTS}/") for name in variables)
        weights = [variables[f"{_WEIGHTS}/{number}"] for number in range(count)]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is no network of pairs that keeps what a warm start needs, as one "
            f"trained with `train.warm_start` does: {error}"
        ) from None
    return Base(
        path=path,
        user_ids=known.lines(path, features.USER_VOCABULARY),
        item_ids=known.lines(path, features.ITEM_VOCABULARY),
        histories=known.first(seen, sizes),
        users=users,
        items=items,
        weights=weights,
        network=network.tobytes().decode(),
    )


def differs(base: Base, network: config.ModelConfig) -> str:
    """Returns what keeps the base's tables from being carried over; "" if nothing."""
    fresh = model.NeuMF(network, num_users=1, num_items=1)
    now = [fresh.user_table.embeddings.shape[1:]]
    now += [weight.shape for weight in fresh.scorer.trainable_variables]
    before = [base.users.shape[1:], *(weight.shape for weight in base.weights)]
    if list(map(tuple, now)) == before and base.network == _describe(network):
        return ""
    return "its network is of another shape"


def carry(
    base: Base,
    network: model.NeuMF,
    *,
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
) -> None:
    """Puts into a fresh network what the base knows of its ids.

    A user of the base's vocabulary who has not trained begins like a new one.

    Args:
        base: the served model, of the same shape.
        network: freshly initialised.
        user_ids, item_ids: raw ids, in the order of its rows.
    """
    trained = base.histories.sizes > 0
    users = [raw for raw, has in zip(base.user_ids, trained, strict=True) if has]
    for table, rows, now, before in (
        (network.user_table, base.users[trained], user_ids, users),
        (network.item_table, base.items, item_ids, base.item_ids),
    ):
        fresh = table.embeddings.numpy()
        fresh[:-1] = known.carried(rows, fresh[:-1], *known.places(now, before))
        table.embeddings.assign(fresh)
    for variable, weight in zip(
        network.scorer.trainable_variables, base.weights, strict=True
    ):
        variable.assign(weight)


def settings(train: config.TrainConfig) -> config.TrainConfig:
    """Returns those of a training that begins warm: shorter, and with smaller steps."""
    warm = {
        "epochs": train.warm_epochs,
        "learning_rate": train.learning_rate * train.warm_rate,
        "pretrain_epochs": 0,  # Its weights would take the place of the base's.
    }
    return train.model_copy(update=warm)
