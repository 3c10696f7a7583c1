"""Validation in lists and in the whole catalogue, and the weight of the linear part."""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from ncf_model.evaluation import ranking
from ncf_model.history import calibration, linear
from ncf_model.training import validation

_CUTOFF = validation.CUTOFF
# Lists that are scored at most: the error of a mean over so many is small enough.
_MOST_LISTS = 8_192
_BLOCK = 1024


class Verdict(NamedTuple):
    """What validation says.

    Attributes:
        weight: the best one of the linear part.
        hit_rate, ndcg: of the sum with that weight, in the whole catalogue.
        listed: the same two in the lists of the split `validation`.
        by_weight: NDCG@10 of what decides, one per weight.
    """

    weight: float
    hit_rate: float
    ndcg: float
    listed: tuple[float, float]
    by_weight: list[float]


class Catalogue:
    """Ranks held-out items among all items that their users never touched.

    Args:
        lists: users, held-out items and candidates.
        histories: [num_users, num_items] what each user trains on, by user index.
        touched: [num_users, num_items] all there is of each user.
        weights: of the linear part, ascending.
        by_lists: whether the lists of the split `validation` decide, or the catalogue.
        seed: of the choice of lists, if there are too many.
    """

    def __init__(
        self,
        lists: validation.Validation,
        histories: scipy.sparse.csr_matrix,
        touched: scipy.sparse.csr_matrix,
        *,
        weights: tuple[float, ...],
        seed: int,
        by_lists: bool = False,
    ) -> None:
        users, items, real = lists.candidates()
        known = users < histories.shape[0]
        chosen = np.flatnonzero(known)
        if len(chosen) > _MOST_LISTS:
            rng = np.random.default_rng(seed)
            chosen = np.sort(rng.choice(chosen, _MOST_LISTS, replace=False))
        self.users = users[chosen]
        self._items, self._real = items[chosen], real[chosen]
        self._touched = touched[self.users]
        self._histories = histories[self.users]
        self._weights = weights
        self._by_lists = by_lists
        self._linear: np.ndarray | None = None

    def __len__(self) -> int:
        """Number of lists."""
        return len(self.users)

    def linear_ndcg(self, matrix: np.ndarray) -> float:
        """Returns NDCG@10 of the linear part alone; `evaluate` then counts with it."""
        covered = matrix.shape[0]
        self._linear = linear.scores(self._histories[:, :covered], matrix)
        none = np.zeros((len(self), 1), np.float32)
        zeros = np.zeros((self._touched.shape[1], 1), np.float32)
        bias = np.zeros(len(zeros), np.float32)
        ranks = self._ranks(none, zeros, bias, (1.0,))[self._by_lists]
        return float(ranking.ndcg(ranks[0], _CUTOFF).mean())

    def keep(self) -> np.ndarray | None:
        """Returns the linear part's scores as they are, to be put back by `use`."""
        return self._linear

    def use(self, scores: np.ndarray | None) -> None:
        """Makes `evaluate` count with these scores of the linear part."""
        self._linear = scores

    def evaluate(
        self, vectors: np.ndarray, item: np.ndarray, bias: np.ndarray
    ) -> Verdict:
        """Returns the best weight and what it reaches.

        The choice is by NDCG@10, smoothed over neighbouring weights, for with few users
        a single figure is as much noise.

        Args:
            vectors: [lists, factors] of the users.
            item: [num_items, factors].
            bias: [num_items].

        Raises:
            ValueError: a score is not finite.
        """
        weights = self._weights if self._linear is not None else (0.0,)
        ranks, listed = self._ranks(vectors, item, bias, weights)
        decisive = listed if self._by_lists else ranks
        figures = np.array([ranking.ndcg(r, _CUTOFF).mean() for r in decisive])
        padded = np.pad(figures, 1, mode="edge")
        best = int(np.argmax(padded[:-2] + 2 * padded[1:-1] + padded[2:]))
        return Verdict(
            weight=float(weights[best]),
            hit_rate=float(ranking.hit_rate(ranks[best], _CUTOFF).mean()),
            ndcg=float(ranking.ndcg(ranks[best], _CUTOFF).mean()),
            listed=(
                float(ranking.hit_rate(listed[best], _CUTOFF).mean()),
                float(ranking.ndcg(listed[best], _CUTOFF).mean()),
            ),
            by_weight=figures.tolist(),
        )

    def calibrate(
        self,
        vectors: np.ndarray,
        item: np.ndarray,
        bias: np.ndarray,
        *,
        weight: float,
        negatives: int,
    ) -> calibration.Calibration:
        """Returns the curve from logits to probabilities, by the lists' candidates.

        Args:
            vectors: [lists, factors] of the users.
            item: [num_items, factors].
            bias: [num_items].
            weight: of the linear part.
            negatives: candidates beside each held-out item: how many there are decides
                what a probability means.
        """
        known = np.minimum(self._items[:, : 1 + negatives], len(item) - 1)
        scores = np.einsum("lf,lcf->lc", vectors, item[known]) + bias[known]
        if weight and self._linear is not None:
            inside = known < self._linear.shape[1]
            at = np.where(inside, known, 0)
            scores += weight * inside * np.take_along_axis(self._linear, at, axis=1)
        real = ((self._items < len(item)) & self._real)[:, : 1 + negatives]
        taken, others = scores[:, 0][real[:, 0]], scores[:, 1:][real[:, 1:]]
        if not len(taken) or not len(others):
            return calibration.AS_IT_IS
        return calibration.fit(taken, others)

    def _ranks(
        self,
        vectors: np.ndarray,
        item: np.ndarray,
        bias: np.ndarray,
        weights: tuple[float, ...],
    ) -> tuple[np.ndarray, np.ndarray]:
        """Returns ranks in the catalogue and in the lists, [weights, lists] each."""
        ranks = np.empty((len(weights), len(self)), np.int64)
        listed = np.empty_like(ranks)
        for start in range(0, len(self), _BLOCK):
            rows = slice(start, start + _BLOCK)
            deep = vectors[rows] @ item.T + bias
            if not np.isfinite(deep).all():
                raise ValueError(
                    "A score is not finite: the model diverged. Try a smaller "
                    "`model.history.learning_rate`."
                )
            for number, weight in enumerate(weights):
                scores = deep
                if weight and self._linear is not None:
                    scores = deep.copy()
                    covered = self._linear.shape[1]
                    scores[:, :covered] += weight * self._linear[rows]
                ranks[number, rows], listed[number, rows] = self._of(scores, rows)
        return ranks, listed

    def _of(self, scores: np.ndarray, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        items, real = self._items[rows], self._real[rows]
        lines = np.arange(len(scores))
        own = scores[lines, items[:, 0]]
        rivals = scores >= own[:, np.newaxis]
        touched = self._touched[rows]
        rivals[np.repeat(lines, np.diff(touched.indptr)), touched.indices] = False
        # Short lists are filled up with "unknown", which has no score and is not real.
        known = np.minimum(items, scores.shape[1] - 1)
        candidates = np.take_along_axis(scores, known, axis=1)
        return np.count_nonzero(rivals, axis=1), np.count_nonzero(
            (candidates[:, 1:] >= own[:, np.newaxis]) & real[:, 1:], axis=1
        )
