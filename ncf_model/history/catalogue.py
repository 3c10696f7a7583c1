"""Validates in the lists and in the whole catalogue, and weighs the sum of parts."""

import concurrent.futures
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from ncf_model import cores
from ncf_model.evaluation import ranking
from ncf_model.history import calibration, linear
from ncf_model.training import validation

_CUTOFF = validation.CUTOFF
# At most so many lists are scored: the error of their mean is small enough.
_MOST_LISTS = 8_192
# Lists, and scores, at a time, by at most so many threads.
_BLOCK, _SCORES, _THREADS = 1024, 1 << 24, 4
# The weight that suited the validation items of several data sets.
USUAL_WEIGHT = 32.0
_TINY = 1e-9
# From so many lists on, a standard error means something.
_ENOUGH_LISTS = 30


class Beside(NamedTuple):
    """What is added to the deep part's scores, times a weight.

    Attributes:
        linear: [lists, covered], the linear part's scores; None without that part.
        users: [lists, factors], the users' vectors of iALS; None without iALS.
        items: [num_items, factors], the items' vectors of iALS; None without iALS.
        share: the weight of iALS beside the linear part.
    """

    linear: np.ndarray | None = None
    users: np.ndarray | None = None
    items: np.ndarray | None = None
    share: float = 1.0

    def scores(self, rows: slice, num_items: int) -> np.ndarray | None:
        """Returns the sum for some lists, [rows, num_items]; None if there is none."""
        total = None
        if self.users is not None and self.items is not None and self.share:
            total = np.float32(self.share) * (self.users[rows] @ self.items.T)
        if self.linear is not None:
            part = self.linear[rows]
            if total is None and part.shape[1] == num_items:
                return part
            if total is None:
                total = np.zeros((len(part), num_items), np.float32)
            total[:, : part.shape[1]] += part
        return total


class _Deep(NamedTuple):
    """The deep part: the vectors of users and items and the items' biases."""

    vectors: np.ndarray
    item: np.ndarray
    bias: np.ndarray


class Verdict(NamedTuple):
    """The result of a validation.

    Attributes:
        weight: the best weight of what is added to the deep part.
        hit_rate, ndcg: HR@10 and NDCG@10 with that weight in the whole catalogue.
        listed: HR@10 and NDCG@10 with that weight in the lists of `validation`.
        by_weight: for each weight the NDCG@10 by which the weight is chosen.
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
        histories: [num_users, num_items], by user index, the weight of each item that
            the user trains on.
        touched: [num_users, num_items], nonzero for every item that the user has, held
            out or not.
        weights: the weights to choose from for what is added to the deep part,
            ascending.
        by_lists: whether the lists of the split `validation` decide; False lets the
            whole catalogue decide.
        seed: of the draw of lists, if there are too many.
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
        self._beside = Beside()

    def __len__(self) -> int:
        """The number of lists."""
        return len(self.users)

    def linear_scores(self, matrix: np.ndarray) -> np.ndarray:
        """Returns the scores of a linear part `matrix`, [lists, covered]."""
        return linear.scores(self._histories[:, : matrix.shape[0]].tocsr(), matrix)

    def use(self, beside: Beside) -> None:
        """Makes `evaluate` and `calibrate` add the scores of `beside`.

        They are summed up once, in the memory of `beside.linear`, if that has a place
        for each item. Its other scores are lost then.
        """
        num_items = self._touched.shape[1]
        if beside.linear is not None and beside.linear.shape[1] == num_items:
            for rows in self._blocks(num_items):
                beside.linear[rows] = beside.scores(rows, num_items)
            beside = Beside(beside.linear)
        self._beside = beside

    def gains(self, beside: Beside) -> np.ndarray:
        """Returns each list's NDCG@10 by the scores of `beside` alone.

        The lists or the catalogue are ranked, as `by_lists` says.
        """
        ranks = self._ranks(None, (1.0,), beside, listed=self._by_lists)
        return ranking.ndcg(ranks[0], _CUTOFF)

    def evaluate(
        self, vectors: np.ndarray, item: np.ndarray, bias: np.ndarray
    ) -> Verdict:
        """Returns the best weight and the figures with that weight.

        The choice is by NDCG@10, and cautious: see `cautious_best`.

        Args:
            vectors: [lists, factors], the vectors of the lists' users.
            item: [num_items, factors], the vectors of the items.
            bias: [num_items], the biases of the items.

        Raises:
            ValueError: a score is not finite.
        """
        model, beside = _Deep(vectors, item, bias), self._beside
        there = beside.linear is not None or beside.users is not None
        weights = self._weights if there else (0.0,)
        decisive = self._ranks(model, weights, beside, listed=self._by_lists)
        gains = ranking.ndcg(decisive, _CUTOFF)
        best = cautious_best(gains, weights, usual=USUAL_WEIGHT)
        weight = (weights[best],)
        other = self._ranks(model, weight, beside, listed=not self._by_lists)
        both = [_means(ranks) for ranks in (decisive[best], other[0])]
        listed, whole = both if self._by_lists else both[::-1]
        return Verdict(
            weight=float(weights[best]),
            hit_rate=whole[0],
            ndcg=whole[1],
            listed=listed,
            by_weight=gains.mean(axis=1).tolist(),
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
            vectors: [lists, factors], the vectors of the lists' users.
            item: [num_items, factors], the vectors of the items.
            bias: [num_items], the biases of the items.
            weight: the weight of what is added to the deep part.
            negatives: how many other candidates each held-out item has. This number
                decides what a probability means.
        """
        known = np.minimum(self._items[:, : 1 + negatives], len(item) - 1)
        scores = np.einsum("lf,lcf->lc", vectors, item[known]) + bias[known]
        if weight:
            for rows in self._blocks(len(item)):
                added = self._beside.scores(rows, len(item))
                if added is not None:
                    scores[rows] += weight * np.take_along_axis(
                        added, known[rows].astype(np.int64), axis=1
                    )
        real = ((self._items < len(item)) & self._real)[:, : 1 + negatives]
        taken, others = scores[:, 0][real[:, 0]], scores[:, 1:][real[:, 1:]]
        if not len(taken) or not len(others):
            return calibration.AS_IT_IS
        return calibration.fit(taken, others)

    def _blocks(self, num_items: int) -> Iterator[slice]:
        step = min(_BLOCK, max(1, _SCORES // num_items))
        for start in range(0, len(self), step):
            yield slice(start, start + step)

    def _ranks(
        self,
        model: _Deep | None,
        weights: tuple[float, ...],
        beside: Beside,
        *,
        listed: bool,
    ) -> np.ndarray:
        """Returns ranks in the lists or in the catalogue, [weights, lists].

        Args:
            model: the deep part; None leaves the deep part out.
            weights: the weights of `beside`; there is one sum per weight.
            beside: the scores that are added to those of the deep part.
            listed: whether the lists' candidates compete, or all items.
        """
        ranks = np.empty((len(weights), len(self)), np.int64)
        of = self._listed if listed else self._whole

        def rank(rows: slice) -> None:
            deep, added = self._scores(model, beside, rows, listed=listed)
            for number, weight in enumerate(weights):
                ranks[number, rows] = of(_sum(deep, added, weight), rows)

        threads = min(_THREADS, cores.usable())
        with concurrent.futures.ThreadPoolExecutor(threads) as pool:
            for _ in pool.map(rank, self._blocks(self._touched.shape[1])):
                pass
        return ranks

    def _scores(
        self, model: _Deep | None, beside: Beside, rows: slice, *, listed: bool
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        """Returns the scores of the deep part and of `beside`, None for no part.

        The scores are those of the lists' candidates, or of all items.

        Raises:
            ValueError: a score is not finite.
        """
        num_items = self._touched.shape[1]
        known = deep = None
        if listed:  # Only the candidates' scores are asked for, not all items'.
            known = np.minimum(self._items[rows], num_items - 1).astype(np.int64)
        if model is not None:
            deep = _finite(
                model.vectors[rows] @ model.item.T + model.bias,
                "A score is not finite: the model diverged. Try a smaller "
                "`model.history.learning_rate`.",
                known,
            )
        added = beside.scores(rows, num_items)
        if added is not None:
            added = _finite(
                added,
                "A score of EASE or iALS is not finite. Set a smaller "
                "`model.history.linear_l2` or `model.history.ials_l2`.",
                known,
            )
        return deep, added

    def _listed(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        """Returns ranks by the scores of the lists' candidates."""
        # Short lists are filled up with the unknown item, which has no score here.
        above = (scores[:, 1:] >= scores[:, :1]) & self._real[rows, 1:]
        return np.count_nonzero(above, axis=1)

    def _whole(self, scores: np.ndarray, rows: slice) -> np.ndarray:
        """Returns ranks by the scores of all items."""
        lines = np.arange(len(scores))
        own = scores[lines, self._items[rows, 0]]
        rivals = scores >= own[:, np.newaxis]
        touched = self._touched[rows]
        rivals[np.repeat(lines, np.diff(touched.indptr)), touched.indices] = False
        return np.count_nonzero(rivals, axis=1)


def _sum(deep: np.ndarray | None, added: np.ndarray | None, weight: float) -> Any:
    """Returns deep + weight * added, or `added` alone if there is no deep part."""
    if deep is None:
        return added
    if added is None or not weight:
        return deep
    return deep + np.float32(weight) * added


def _finite(scores: np.ndarray, message: str, columns: np.ndarray | None) -> np.ndarray:
    """Returns the scores, or with `columns` those of each row's columns alone.

    Raises:
        ValueError: a returned score is not finite; the error says `message`.
    """
    if columns is not None:
        scores = np.take_along_axis(scores, columns, axis=1)
    if not np.isfinite(scores).all():
        raise ValueError(message)
    return scores


def cautious_best(gains: np.ndarray, values: Sequence[float], *, usual: float) -> int:
    """Returns the place in `values` of the value to take.

    The best of several figures owes part of its lead to chance, and more so with fewer
    lists. A value that leaves one part of a sum almost without weight gives up what
    makes the sum better than its parts. So, of the values within half a standard error
    of the best, the one nearest to `usual` is taken (the rule of Breiman et al., 1984,
    for the size of trees, with half of their tolerance).

    Args:
        gains: [values, lists], what each list gains with each value.
        values: the values to choose from, 0 or more.
        usual: a value above 0. Where lists are few, the value nearest to it is taken.
    """
    far = np.abs(np.log(np.maximum(values, _TINY) / usual))
    if gains.shape[1] < _ENOUGH_LISTS:
        return int(np.argmin(far))
    means = gains.mean(axis=1)
    best = gains[int(np.argmax(means))]
    error = best.std() / np.sqrt(len(best))
    return int(np.argmin(np.where(means >= best.mean() - error / 2, far, np.inf)))


def _means(ranks: np.ndarray) -> tuple[float, float]:
    return (
        float(ranking.hit_rate(ranks, _CUTOFF).mean()),
        float(ranking.ndcg(ranks, _CUTOFF).mean()),
    )
