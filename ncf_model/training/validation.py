"""Computes HR@10 and NDCG@10 on the validation lists, between epochs."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from ncf_model.evaluation import ranking
from ncf_model.network import layers, model

CUTOFF = 10
# How many candidates, times the first layer's width, are scored at a time.
_BLOCK_VALUES = 1 << 22


class Candidates(NamedTuple):
    """Lists to rank, by indices of the vocabularies.

    Attributes:
        users: [L] int32, the user of each list.
        items: [L, 1 + m] int32, the held-out item first; padding is "unknown".
        real: [L, 1 + m] bool, False for padding.
    """

    users: np.ndarray
    items: np.ndarray
    real: np.ndarray


def by_index(
    user_ids: Sequence[bytes],
    candidates: Sequence[Sequence[bytes]],
    *,
    users: Mapping[bytes, int],
    items: Mapping[bytes, int],
) -> Candidates:
    """Returns lists of raw ids by index; an unknown id counts as "unknown".

    Args:
        user_ids: [L] raw ids.
        candidates: [L] lists of raw ids, the held-out item first.
        users: the index of each raw id of a user.
        items: the index of each raw id of an item.
    """
    sizes = np.array([len(row) for row in candidates], np.int64)
    width = int(sizes.max(initial=1))
    real = np.arange(width) < sizes[:, np.newaxis]
    indices = np.full((len(sizes), width), len(items), np.int32)
    indices[real] = [items.get(item, len(items)) for row in candidates for item in row]
    known = np.array([users.get(u, len(users)) for u in user_ids], np.int32)
    return Candidates(known, indices, real)


class Validation:
    """Ranks each user's held-out item among the other candidates.

    Raw ids are mapped to indices once, when this object is made. An id outside the
    vocabulary counts as "unknown".
    """

    def __init__(
        self,
        network: model.NeuMF,
        user_ids: Sequence[bytes],
        candidates: Sequence[Sequence[bytes]],
        *,
        users: Mapping[bytes, int],
        items: Mapping[bytes, int],
        jit_compile: bool = True,
    ) -> None:
        """Maps the ids of the lists.

        Args:
            network: scores the lists whenever metrics are asked for.
            user_ids: [L] raw ids.
            candidates: [L] lists of raw ids, the held-out item first.
            users: the index of each raw id of a user.
            items: the index of each raw id of an item.
            jit_compile: scores with XLA.
        """
        found = by_index(user_ids, candidates, users=users, items=items)
        self._bind(network, found, jit_compile=jit_compile)

    @classmethod
    def on(
        cls, network: model.NeuMF, candidates: Candidates, *, jit_compile: bool = True
    ) -> "Validation":
        """Returns the validator of a network on lists by index; see `__init__`."""
        validator = cls.__new__(cls)
        validator._bind(network, candidates, jit_compile=jit_compile)
        return validator

    def _bind(
        self, network: model.NeuMF, candidates: Candidates, *, jit_compile: bool
    ) -> None:
        self._network = network
        self._logits = tf.function(
            self._logits_of, jit_compile=jit_compile, autograph=False
        )
        self._users, self._items, self._real = candidates

    def __len__(self) -> int:
        """The number of lists."""
        return len(self._users)

    def candidates(self) -> Candidates:
        """Returns the lists."""
        return Candidates(self._users, self._items, self._real)

    def metrics(self) -> tuple[float, float]:
        """Returns mean HR@10 and NDCG@10.

        Raises:
            ValueError: there is no list, or a score is NaN.
        """
        if not len(self):
            raise ValueError(
                "There is no validation list: no user has three interactions or more."
            )
        ranks = ranking.ranks(self.scores())
        return (
            float(ranking.hit_rate(ranks, CUTOFF).mean()),
            float(ranking.ndcg(ranks, CUTOFF).mean()),
        )

    def scores(self) -> np.ndarray:
        """Returns the logits [L, 1 + m] float32; rows are padded with -inf."""
        scorer = self._network.scorer
        widest = max(scorer.width, *scorer.settings.layers)
        block = max(1, _BLOCK_VALUES // (self._items.shape[1] * widest))
        block = min(block, len(self))
        parts = self._parts()
        scores = np.empty(self._items.shape, np.float32)
        for start in range(0, len(self), block):
            # The last block overlaps the one before, so that all have one shape.
            start = min(start, len(self) - block)
            rows = slice(start, start + block)
            scores[rows] = self._logits(parts, self._users[rows], self._items[rows])
        return np.where(self._real, scores, -np.inf)

    @tf.function(autograph=False)
    def _parts(self) -> tuple[layers.Part, layers.Part]:
        network = self._network
        return (
            network.scorer.user_part(network.user_table.embeddings.value),
            network.scorer.item_part(network.item_table.embeddings.value),
        )

    def _logits_of(
        self,
        parts: tuple[layers.Part, layers.Part],
        users: tf.Tensor,
        items: tf.Tensor,
    ) -> tf.Tensor:
        user = layers.gather(parts[0], users[:, tf.newaxis])
        return self._network.scorer.combine(user, layers.gather(parts[1], items))
