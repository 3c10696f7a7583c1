"""Begins the training of the network of pairs with the tables of the served model.

A served model of pairs holds its tables multiplied with the weights above them. A model
that a later training may begin with therefore holds the tables themselves, too.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np

from ncf_model import config, features
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import known

# Names of a SavedModel's variables, as `saved_model.ServingModel` has them.
_KEPT, _WEIGHTS = "_kept", "_weights"
_USER_ROWS, _ITEM_ROWS, _SIZES = "user_rows", "item_rows", "sizes"
_NETWORK = "network"
# Says what the columns of the tables mean; networks of one shape may differ in that.
_MEANING = {"type", "mf_dim", "layers", "biases", "gmf_output"}


@dataclasses.dataclass(frozen=True)
class PairsBase(known.Known):
    """The parts of a served model of pairs.

    Attributes:
        users, items: the tables, without the row "unknown".
        weights: the weights of the network above the tables.
        network: what the columns of the tables mean, as `_describe` returns it.
    """

    users: np.ndarray
    items: np.ndarray
    weights: list[np.ndarray]
    network: str


def state(network: model.NeuMF, histories: Ragged) -> dict[str, np.ndarray]:
    """Returns what a SavedModel holds only for the warm start of a later training.

    Args:
        network: the trained network.
        histories: by user index the items that were trained on.
    """
    return {
        _USER_ROWS: network.user_table.embeddings.numpy()[:-1],
        _ITEM_ROWS: network.item_table.embeddings.numpy()[:-1],
        _SIZES: histories.sizes,
        _NETWORK: np.frombuffer(_describe(network.settings).encode(), np.uint8),
    }


def _describe(network: config.ModelConfig) -> str:
    return network.model_dump_json(include=_MEANING)


def read(path: str) -> PairsBase:
    """Reads the variables of a SavedModel of the network of pairs.

    Raises:
        ValueError: `path` holds no such model, or one without the tables themselves.
    """
    try:
        variables = known.variables(path)
        users, items, sizes, network = (
            variables[f"{_KEPT}/{name}"]
            for name in (_USER_ROWS, _ITEM_ROWS, _SIZES, _NETWORK)
        )
        seen = Ragged(variables["_seen"], variables["_seen_offsets"][:-1])
        count = sum(name.startswith(f"{_WEIGHTS}/") for name in variables)
        weights = [variables[f"{_WEIGHTS}/{number}"] for number in range(count)]
    except (ValueError, KeyError) as error:
        raise ValueError(
            f"{path} is no network of pairs that keeps what a warm start needs, as one "
            f"trained with `train.warm_start` does: {error}"
        ) from None
    return PairsBase(
        path=path,
        user_ids=known.lines(path, features.USER_VOCABULARY),
        item_ids=known.lines(path, features.ITEM_VOCABULARY),
        histories=known.first(seen, sizes),
        users=users,
        items=items,
        weights=weights,
        network=network.tobytes().decode(),
    )


def differs(base: PairsBase, network: config.ModelConfig) -> str:
    """Returns why the tables of `base` cannot be carried over; "" if they can."""
    fresh = model.NeuMF(network, num_users=1, num_items=1)
    now = [fresh.user_table.embeddings.shape[1:]]
    now += [weight.shape for weight in fresh.scorer.trainable_variables]
    before = [base.users.shape[1:], *(weight.shape for weight in base.weights)]
    if list(map(tuple, now)) == before and base.network == _describe(network):
        return ""
    return "its network is of another shape"


def carry(
    base: PairsBase,
    network: model.NeuMF,
    *,
    user_ids: Sequence[bytes],
    item_ids: Sequence[bytes],
) -> None:
    """Puts the rows of `base` into a fresh network, for all ids that it knows.

    A user whom `base` has in its vocabulary, but has not trained on, counts as new.

    Args:
        base: the served model, of the same shape.
        network: freshly initialised.
        user_ids, item_ids: the raw ids of the network's rows, in order.
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
    """Returns the settings of a warm start: fewer epochs, and smaller steps."""
    warm = {
        "epochs": train.warm_epochs,
        "learning_rate": train.learning_rate * train.warm_rate,
        "pretrain_epochs": 0,  # Pretraining would overwrite the weights of `base`.
    }
    return train.model_copy(update=warm)
