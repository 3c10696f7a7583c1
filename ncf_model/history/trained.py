"""What a training of users by their history leaves, and the vectors of its users."""

import dataclasses

import numpy as np
import scipy.sparse

from ncf_model import config
from ncf_model.history import calibration, encoder
from ncf_model.training import data


@dataclasses.dataclass(frozen=True)
class Trained:
    """The parts of the model to ship.

    Attributes:
        settings: resolved.
        tables: of the deep part; `user` by user index, without a last row.
        linear: [n, n] weights between the n most frequent items, times the linear
            part's weight; None without that part.
        histories: what each user was trained on, by user index.
        l2: the linear part's penalty; None without that part.
        weight: the linear part's weight, which `linear` has in it.
        curve: from a logit, the sum of both parts, to a probability.
    """

    settings: config.HistoryConfig
    tables: encoder.Tables
    linear: np.ndarray | None
    histories: data.Lists
    l2: float | None = None
    weight: float = 0.0
    curve: calibration.Calibration = calibration.AS_IT_IS

    def vectors(self) -> np.ndarray:
        """Returns [num_users, factors]."""
        matrix = user_item_matrix(self.histories, len(self.tables.history))
        return vectors(self.tables, matrix, np.arange(matrix.shape[0]))


def vectors(
    tables: encoder.Tables, histories: scipy.sparse.csr_matrix, users: np.ndarray
) -> np.ndarray:
    """Returns the vectors of users, [users, factors].

    Args:
        tables: of the deep part.
        histories: [users, num_items] of zeros and ones.
        users: their rows in `tables.user`.
    """
    sizes = np.maximum(np.diff(histories.indptr), 1)
    scaled = scipy.sparse.diags(1 / np.sqrt(sizes)).tocsr() @ histories
    own = tables.user[users] if len(tables.user) > 1 else 0.0
    return np.asarray(scaled @ tables.history + own, np.float32)


def user_item_matrix(lists: data.Lists, num_items: int) -> scipy.sparse.csr_matrix:
    """Returns [users, num_items] of ones where a user has an item, else zeros."""
    ones = np.ones(len(lists.values), np.float32)
    shape = (len(lists.sizes), num_items)
    return scipy.sparse.csr_matrix((ones, lists.values, lists.offsets), shape=shape)
