"""Fits what is added to the deep part's scores: the linear part and iALS.

The settings of each are chosen by its own NDCG@10 on the validation items. Then the
share of iALS in the sum of both is chosen. The weight of that sum beside the deep part
is chosen together with the epoch, in `fitting`.
"""

import dataclasses
import functools
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse
from absl import logging

from ncf_model import config, progress
from ncf_model.history import catalogue, ials, linear

# Where the search begins. Without validation items these values are taken.
_L2, _IALS_L2, _UNOBSERVED, _SHARE = 300.0, 3e-3, 0.3, 1.0
# Epochs of iALS for the model that ships; fewer are enough to compare settings.
_EPOCHS, _SEARCH_EPOCHS = 10, 5
# How many times a search usually fits a part. Only the display of progress uses this.
_USUAL_FITS = 12
_ALMOST = 0.95
# Where the search and the last fits begin and end in Trainer's time.
_SEARCH = (0.0, progress.ENDS["search"])
_FIT = (progress.ENDS["refit"], progress.ENDS["fit"])
# From so many pairs on, the search fits to the users of the validation lists alone.
_SEARCH_PAIRS = 2_000_000


@dataclasses.dataclass
class ChosenSettings:
    """The settings as far as they are chosen, and what was tried; JSON can hold it.

    Attributes:
        l2: the linear part's penalty; None until it is chosen.
        ials_l2: the penalty of iALS; None until it is chosen.
        unobserved: the weight that iALS gives to pairs that did not occur; None until
            it is chosen.
        share: the share of iALS in the sum; None until it is chosen.
        linear: the penalties of the linear part that were tried, with their quality.
        ials: the settings of iALS that were tried, with their quality.
        shares: the shares of iALS that were tried, with their quality.
    """

    l2: float | None = None
    ials_l2: float | None = None
    unobserved: float | None = None
    share: float | None = None
    linear: list[dict[str, float]] = dataclasses.field(default_factory=list)
    ials: list[dict[str, float]] = dataclasses.field(default_factory=list)
    shares: list[dict[str, float]] = dataclasses.field(default_factory=list)


class Factored(NamedTuple):
    """iALS as it ships.

    Attributes:
        items: [num_items, factors], the vectors of the items.
        l2, unobserved: the settings with which a user's vector is computed.
        weight: the weight of the scores of iALS in the sum.
        share: the share of iALS in the weight of the sum.
    """

    items: np.ndarray
    l2: float
    unobserved: float
    weight: float
    share: float

    def vectors(self, histories: scipy.sparse.csr_matrix) -> np.ndarray:
        """Returns the users' vectors times the weight, [users, factors]."""
        settings = {"l2": self.l2, "unobserved": self.unobserved}
        return ials.fold_in(histories, self.items, **settings) * np.float32(self.weight)


class Fitter:
    """Chooses the settings of the linear part and of iALS, and fits both."""

    def __init__(
        self,
        history: config.HistoryConfig,
        validator: catalogue.Catalogue,
        *,
        decides: str,
        num_items: int,
    ) -> None:
        self._history, self._validator, self._decides = history, validator, decides
        self._covered = min(history.linear_items, num_items)
        self._factors = min(int(history.factors), num_items)  # Resolved.
        self._fits, self._usual_fits, self._bar = 0, _USUAL_FITS, _SEARCH

    def choose(
        self, positives: scipy.sparse.csr_matrix, chosen: ChosenSettings
    ) -> None:
        """Chooses the settings that are missing in `chosen`, and notes them there.

        From then on the validator adds the scores of both parts.
        """
        validator = self._validator
        self._fits, self._usual_fits, self._bar = 0, _USUAL_FITS, _SEARCH
        scores = self._choose_linear(positives, chosen)
        beside = catalogue.Beside(scores)
        if self._history.has_ials:
            beside = self._choose_ials(positives, chosen, scores)
        validator.use(beside)

    def fit(
        self, positives: scipy.sparse.csr_matrix, chosen: ChosenSettings, weight: float
    ) -> tuple[np.ndarray | None, Factored | None]:
        """Returns both parts, fitted with `chosen` and multiplied by `weight`.

        A part without weight is None.
        """
        self._fits, self._usual_fits, self._bar = 0, 2, _FIT
        matrix = factored = None
        if self._covered and weight:
            matrix = self._linear(positives, chosen.l2) * np.float32(weight)
        if self._history.has_ials and chosen.share and weight:
            settings = float(chosen.ials_l2 or 0), float(chosen.unobserved or 0)
            _, items = self._ials(positives, *settings, _EPOCHS)
            factored = Factored(
                items, *settings, weight * float(chosen.share), float(chosen.share)
            )
        return matrix, factored

    def _choose_linear(
        self, positives: scipy.sparse.csr_matrix, chosen: ChosenSettings
    ) -> np.ndarray | None:
        """Returns the linear part's scores of the lists with the best penalty."""
        if not self._covered:
            return None
        values, validator = self._history.linear_l2, self._validator
        if chosen.l2 is None and not len(validator):
            chosen.l2 = closest(values, _L2)
        if chosen.l2 is not None:
            if not len(validator):
                return None
            return validator.linear_scores(self._linear(positives, chosen.l2))
        # A matrix takes much memory: only the scores of the best one are kept.
        best: list[Any] = [-np.inf, None]
        inner = linear.products(positives[:, : self._covered].tocsr())

        def figure(l2: float) -> float:
            scores = validator.linear_scores(self._linear(positives, l2, inner))
            ndcg = float(validator.gains(catalogue.Beside(scores)).mean())
            chosen.linear.append({"l2": l2, self._decides: ndcg})
            if ndcg > best[0]:
                best[:] = ndcg, scores
            return ndcg

        chosen.l2 = climb(figure, values, _L2)
        return best[1]

    def _linear(
        self,
        positives: scipy.sparse.csr_matrix,
        l2: float | None,
        inner: np.ndarray | None = None,
    ) -> np.ndarray:
        started = time.monotonic()
        assert l2 is not None  # noqa: S101  # Chosen before any part is solved.
        self._tell(f"solves the linear part, l2 {l2:g}")
        covered = positives[:, : self._covered].tocsr()
        matrix = linear.weights(covered, l2=l2, inner=inner)
        seconds = time.monotonic() - started
        logging.info(
            "Linear part of %d items, l2 %g: %.1f s", self._covered, l2, seconds
        )
        return matrix

    def _choose_ials(
        self,
        positives: scipy.sparse.csr_matrix,
        chosen: ChosenSettings,
        scores: np.ndarray | None,
    ) -> catalogue.Beside:
        """Returns iALS with the best settings and share beside the linear `scores`."""
        history, validator = self._history, self._validator
        l2s, weights = history.ials_l2, history.ials_unobserved
        if not len(validator):
            chosen.ials_l2 = chosen.ials_l2 or closest(l2s, _IALS_L2)
            chosen.unobserved = chosen.unobserved or closest(weights, _UNOBSERVED)
            chosen.share = closest(history.ials_shares, _SHARE)
            return catalogue.Beside()

        @functools.cache
        def figure(l2: float, unobserved: float) -> float:
            beside = self._beside(positives, l2, unobserved, _SEARCH_EPOCHS)
            ndcg = float(validator.gains(beside).mean())
            settings = {"l2": l2, "unobserved": unobserved}
            chosen.ials.append(settings | {self._decides: ndcg})
            return ndcg

        if chosen.unobserved is None or chosen.ials_l2 is None:
            start = closest(l2s, _IALS_L2)
            unobserved = climb(lambda v: figure(start, v), weights, _UNOBSERVED)
            chosen.unobserved = unobserved
            chosen.ials_l2 = climb(lambda v: figure(v, unobserved), l2s, _IALS_L2)
        beside = self._beside(positives, chosen.ials_l2, chosen.unobserved, _EPOCHS)
        if scores is None:  # iALS alone has the whole weight.
            chosen.share = 1.0
            return beside
        beside = beside._replace(linear=scores)
        if chosen.share is None:
            gains = [
                validator.gains(beside._replace(share=float(share)))
                for share in history.ials_shares
            ]
            chosen.shares = [
                {"share": share, self._decides: float(each.mean())}
                for share, each in zip(history.ials_shares, gains, strict=True)
            ]
            best = catalogue.cautious_best(
                np.stack(gains), history.ials_shares, usual=_SHARE
            )
            chosen.share = float(history.ials_shares[best])
        return beside._replace(share=chosen.share)

    def _beside(
        self,
        positives: scipy.sparse.csr_matrix,
        l2: float,
        unobserved: float,
        epochs: int,
    ) -> catalogue.Beside:
        rows = self._validator.users
        if epochs == _SEARCH_EPOCHS and positives.nnz > _SEARCH_PAIRS:
            users, items = self._ials(positives[rows], l2, unobserved, epochs)
            return catalogue.Beside(users=users, items=items)
        users, items = self._ials(positives, l2, unobserved, epochs)
        return catalogue.Beside(users=users[rows], items=items)

    def _ials(
        self,
        positives: scipy.sparse.csr_matrix,
        l2: float,
        unobserved: float,
        epochs: int,
    ) -> tuple[np.ndarray, np.ndarray]:
        started = time.monotonic()
        self._tell(f"fits iALS, l2 {l2:g}, unobserved {unobserved:g}")
        found = ials.fit(
            positives,
            factors=self._factors,
            l2=l2,
            unobserved=unobserved,
            epochs=epochs,
        )
        seconds = time.monotonic() - started
        logging.info(
            "iALS, l2 %g, unobserved %g, %d epochs: %.1f s",
            *(l2, unobserved, epochs, seconds),
        )
        return found

    def _tell(self, doing: str) -> None:
        """Tells observers what is fitted now, and how far that is."""
        begin, end = self._bar
        done = min(self._fits / self._usual_fits, _ALMOST)
        share = begin + (end - begin) * done
        progress.emit(progress.StepProgress(fraction=share, doing=doing))
        self._fits += 1


def closest(values: Sequence[float], wanted: float) -> float:
    """Returns the value nearest to `wanted` by ratio; 0 if that is the only value."""
    above = [value for value in values if value > 0] or list(values)
    return min(above, key=lambda value: abs(np.log((value or 1e-9) / wanted)))


def climb(
    figure: Callable[[float], float], values: Sequence[float], wanted: float
) -> float:
    """Returns the best of `values`, searched uphill from the one near `wanted`."""
    known: dict[int, float] = {}

    def at(place: int) -> float:
        if not 0 <= place < len(values):
            return -np.inf
        if place not in known:
            known[place] = figure(values[place])
        return known[place]

    place = list(values).index(closest(values, wanted))
    while True:
        best = max((place, place - 1, place + 1), key=at)
        if best == place:
            return values[place]
        place = best
