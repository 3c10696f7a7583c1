"""The rows of the tables for users and items that the model does not know."""

import numpy as np

from ncf_model.network import model
from ncf_model.training import data


def set_unknown_rows(
    network: model.NeuMF, *, users: np.ndarray, items: np.ndarray
) -> None:
    """Sets the "unknown" row, the last of each table, to the mean of the trained rows.

    No training example reaches that row. The mean user has average taste, the mean item
    average appeal, biases included.

    Args:
        network: the trained network.
        users: indices of the users that trained.
        items: indices of the items that trained as positive or negative: usually all.
    """
    for table, index in ((network.user_table, users), (network.item_table, items)):
        rows = table.embeddings.numpy()
        rows[-1] = rows[np.unique(index)].mean(axis=0)
        table.embeddings.assign(rows)


def trained_users(interactions: data.Interactions, *, refitted: bool) -> np.ndarray:
    """Returns the indices of the users with an item that was trained on."""
    sizes = interactions.positives.sizes
    if refitted:
        sizes = sizes + interactions.validation_items.sizes
    return interactions.user_index[sizes > 0]


def rows_of_users(trained: np.ndarray, num_users: int) -> np.ndarray:
    """Returns the row of each user in the tables, [num_users + 1] int64.

    Users who never trained have the row of the unknown user, `num_users`.

    Args:
        trained: indices of the users who trained.
        num_users: size of the user vocabulary.
    """
    rows = np.full(num_users + 1, num_users, np.int64)
    rows[trained] = trained
    return rows
