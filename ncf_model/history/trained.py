"""The trained network of users by their history, and the vectors of the users."""

import dataclasses

import numpy as np
import scipy.sparse

from ncf_model import config
from ncf_model.history import beside, calibration, encoder, recency
from ncf_model.sampling.ragged import Ragged


@dataclasses.dataclass(frozen=True)
class Trained:
    """The parts of the model to ship.

    Attributes:
        settings: the network, without any `auto`.
        tables: of the deep part; `user` has no last row for places without a user.
        linear: [n, n] weights between the n most frequent items, times the linear
            part's weight; None without that part.
        histories: what each user was trained on, by user index.
        l2: the linear part's penalty; None without that part.
        weight: the linear part's weight, by which `linear` is multiplied already.
        curve: turns a logit, which is the sum of all parts, into a probability.
        factored: iALS; None without it.
    """

    settings: config.HistoryConfig
    tables: encoder.Tables
    linear: np.ndarray | None
    histories: Ragged
    l2: float | None = None
    weight: float = 0.0
    curve: calibration.Calibration = calibration.AS_IT_IS
    factored: beside.Factored | None = None

    def vectors(self) -> np.ndarray:
        """Returns the users' vectors [num_users, width], iALS after the deep part."""
        recent = self.settings.recency
        matrix = recency.user_item_matrix(
            self.histories, len(self.tables.history), recent
        )
        deep = vectors(self.tables, matrix, np.arange(matrix.shape[0]))
        if self.factored is None:
            return deep
        return np.concatenate([deep, self.factored.vectors(matrix)], axis=1)

    def items(self) -> np.ndarray:
        """Returns the items' vectors [num_items, width], iALS after the deep part."""
        if self.factored is None:
            return np.asarray(self.tables.item)
        return np.concatenate([self.tables.item, self.factored.items], axis=1)


def vectors(
    tables: encoder.Tables, histories: scipy.sparse.csr_matrix, users: np.ndarray
) -> np.ndarray:
    """Returns the vectors of users, [users, factors].

    Args:
        tables: of the deep part.
        histories: [users, num_items], the weight of each item of a user; a user's
            weights have a mean of 1.
        users: their rows in `tables.user`.
    """
    sizes = np.maximum(np.diff(histories.indptr), 1)
    scaled = scipy.sparse.diags(1 / np.sqrt(sizes)).tocsr() @ histories
    own = tables.user[users] if len(tables.user) > 1 else 0.0
    return np.asarray(scaled @ tables.history + own, np.float32)
