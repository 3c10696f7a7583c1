"""HR@10 and NDCG@10 on the validation lists, between epochs."""

import functools
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import tensorflow as tf

from ncf_model import layers, model, ranking

CUTOFF = 10
# Candidates scored at a time, times the first layer's width.
_BLOCK_VALUES = 1 << 22


class Validation:
    """Ranks each user's held-out item among the other candidates.

    Raw ids are mapped to indices once, here; an id outside the vocabulary counts as
    "unknown".
    """

    def __init__(
        self,
        network: model.NeuMF,
        user_ids: Sequence[bytes],
        candidates: Sequence[Sequence[bytes]],
        *,
        users: Mapping[bytes, int],
        items: Mapping[bytes, int],
        seen: Sequence[Sequence[bytes]] | None = None,
    ) -> None:
        """Maps ids.

        Args:
            network: whom to judge, whenever asked.
            user_ids: [L] raw.
            candidates: [L] lists of raw ids, the held-out item first.
            users: index of each user of the vocabulary.
            items: index of each item.
            seen: [L] lists of raw ids. With them the held-out item, then the only
                candidate, is ranked in the whole catalogue, theirs left out.
        """
        self._network = network
        self._users = np.array([users.get(u, len(users)) for u in user_ids], np.int32)
        self._items, self._real = _padded(candidates, items)
        self._seen = None if seen is None else _padded(seen, items)[0]

    def __len__(self) -> int:
        """Number of lists."""
        return len(self._users)

    def metrics(self) -> tuple[float, float]:
        """Returns mean HR@10 and NDCG@10.

        Raises:
            ValueError: there is no list, or a score is NaN.
        """
        if not len(self):
            raise ValueError(
                "There is no validation list: no user has three interactions or more."
            )
        ranks = np.empty(len(self), np.int64)
        for rows, scores in self.scores():
            ranks[rows] = ranking.ranks(scores)
        return (
            float(ranking.hit_rate(ranks, CUTOFF).mean()),
            float(ranking.ndcg(ranks, CUTOFF).mean()),
        )

    def scores(self) -> Iterator[tuple[slice, np.ndarray]]:
        """Yields some rows at a time and their logits, the held-out item's first.

        [rows, 1 + m] float32 in the order of the candidates, or [rows, 1 + num_items]
        over the catalogue; -inf stands where nothing is to be ranked. Rows may come
        twice.
        """
        scorer = self._network.scorer
        width = (self._items if self._seen is None else self._catalogue).shape[1]
        widest = max(scorer.width, *scorer.settings.layers)
        block = min(max(1, _BLOCK_VALUES // (width * widest)), len(self))
        parts = self._parts()
        for start in range(0, len(self), block):
            # The last block overlaps the one before: one shape, one program.
            start = min(start, len(self) - block)
            rows = slice(start, start + block)
            if self._seen is None:
                logits = self._logits(parts, self._users[rows], self._items[rows])
                yield rows, np.where(self._real[rows], logits, -np.inf)
            else:
                logits = self._logits(parts, self._users[rows], self._catalogue).numpy()
                yield rows, _unseen(logits, self._items[rows], self._seen[rows])

    @functools.cached_property
    def _catalogue(self) -> np.ndarray:
        """Every item and the unknown one, [1, num_items + 1]."""
        return np.arange(self._network.num_items + 1, dtype=np.int32)[np.newaxis]

    @tf.function(autograph=False)
    def _parts(self) -> tuple[layers.Part, layers.Part]:
        network = self._network
        return (
            network.scorer.user_part(network.user_table.embeddings.value),
            network.scorer.item_part(network.item_table.embeddings.value),
        )

    @tf.function(jit_compile=True, autograph=False)
    def _logits(
        self,
        parts: tuple[layers.Part, layers.Part],
        users: tf.Tensor,
        items: tf.Tensor,
    ) -> tf.Tensor:
        user = layers.gather(parts[0], users[:, tf.newaxis])
        return self._network.scorer.combine(user, layers.gather(parts[1], items))


def _padded(
    lists: Sequence[Sequence[bytes]], index: Mapping[bytes, int]
) -> tuple[np.ndarray, np.ndarray]:
    """Returns indices [L, longest] int32, and which of them are no padding.

    Padding and unknown ids are `len(index)`.
    """
    sizes = np.array([len(row) for row in lists], np.int64)
    real = np.arange(sizes.max(initial=1)) < sizes[:, np.newaxis]
    indices = np.full(real.shape, len(index), np.int32)
    indices[real] = [index.get(raw, len(index)) for row in lists for raw in row]
    return indices, real


def _unseen(logits: np.ndarray, own: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Returns the held-out items' logits, then the catalogue's: -inf for what is seen.

    Args:
        logits: [L, num_items + 1], the last of the unknown item; overwritten.
        own: [L, 1] int, the held-out items.
        seen: [L, n] int, what else is not to be ranked.
    """
    held_out = np.take_along_axis(logits, own, axis=1)
    np.put_along_axis(logits, own, -np.inf, axis=1)
    np.put_along_axis(logits, seen, -np.inf, axis=1)
    # The unknown item cannot be shown to anybody.
    return np.concatenate([held_out, logits[:, :-1]], axis=1)
