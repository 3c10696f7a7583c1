"""The rows of the tables for users and items that the model does not know."""

import numpy as np

from ncf_model.network import model


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
