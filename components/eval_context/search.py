"""Chooses the settings of a baseline on validation lists."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse

from components.eval_context import rivals
from ncf_model.evaluation import ranking

NDCG = "validation_ndcg@10"
_CUTOFF = 10
# At most so many lists are scored, and so many scores at a time.
MOST_LISTS = 4_096
_SCORES = 1 << 22


class SearchData(NamedTuple):
    """The data on which settings are chosen.

    Attributes:
        positives: the training positives without validation items.
        users: [L], the row of each list's user.
        candidates: [L, 1 + m] columns, the held-out item first, -1 for none. With
            [L, 1] all items compete that are not in `touched`.
        touched: [users, items], nonzero for every item that a user has; None where
            there are candidates.
    """

    positives: rivals.Positives
    users: np.ndarray
    candidates: np.ndarray
    touched: scipy.sparse.csr_matrix | None

    def ndcg(self, score: rivals.Scorer) -> float:
        """Returns the NDCG@10 of a scorer on the lists."""
        step = max(1, _SCORES // self.positives.matrix.shape[1])
        ranks = [
            self._ranks(score, slice(start, start + step))
            for start in range(0, len(self.users), step)
        ]
        return float(ranking.ndcg(np.concatenate(ranks), _CUTOFF).mean())

    def _ranks(self, score: rivals.Scorer, lists: slice) -> np.ndarray:
        candidates, users = self.candidates[lists], self.users[lists]
        scores = score(users)
        own = np.take_along_axis(scores, candidates[:, :1], axis=1)
        if self.touched is None:
            others = np.take_along_axis(scores, candidates[:, 1:], axis=1)
            above = (others >= own) & (candidates[:, 1:] >= 0)
        else:
            above = scores >= own
            touched = self.touched[users]
            row = np.repeat(np.arange(len(users)), np.diff(touched.indptr))
            above[row, touched.indices] = False
        return np.count_nonzero(above, axis=1)


def choose(
    rival: rivals.Rival, validation: SearchData | None
) -> tuple[dict[str, float], list[dict[str, Any]]]:
    """Returns the best settings, and all settings that were tried with their NDCG@10.

    One setting after the other is moved uphill from its start, until its neighbours in
    the grid are no better. Without lists, or where there is nothing to choose, the
    start is returned, and nothing was tried.
    """
    choices = max(len(values) for values in rival.grid.values())
    if validation is None or not len(validation.users) or choices < 2:
        return dict(rival.start), []
    tried: dict[tuple[float, ...], float] = {}

    def figure(settings: Mapping[str, float]) -> float:
        key = tuple(settings.values())
        if key not in tried:
            score = rival.fit(validation.positives, settings, True)
            tried[key] = validation.ndcg(score)
        return tried[key]

    best = dict(rival.start)
    for name, values in rival.grid.items():

        def at(value: float, name: str = name) -> float:
            return figure(best | {name: value})

        best[name] = _climb(at, values, best[name])
    return best, [
        dict(zip(best, key, strict=True)) | {NDCG: ndcg} for key, ndcg in tried.items()
    ]


def _climb(
    figure: Callable[[float], float], values: tuple[float, ...], start: float
) -> float:
    """Returns a value that is better than its neighbours, searched from `start`."""
    place = values.index(start)
    while True:
        near = [p for p in (place, place - 1, place + 1) if 0 <= p < len(values)]
        best = max(near, key=lambda p: figure(values[p]))
        if best == place:
            return values[place]
        place = best
