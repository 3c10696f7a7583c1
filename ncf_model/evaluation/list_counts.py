"""Counts how many lists have the held-out item at each rank, for most metrics.

Each list is reduced to a rank in a preprocessor, as early as TFMA allows, and the
combiner counts. Integer counts do not depend on how Beam split the work.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np

# On TFX 1.21 tfx must be imported before TFMA; otherwise names of TFMA are missing.
import tfx  # noqa: F401
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import util

from ncf_model import features
from ncf_model.evaluation import ranking

MODEL = "model"  # `scores` of the model itself, not of a feature
_FEATURE_PREFIX = "candidate_"

Gain = Callable[[np.ndarray], np.ndarray]  # [B] ranks -> [B] float
Counter = Callable[[str], metric_types.MetricComputation]  # of a model's name


@dataclasses.dataclass
class ListCounts:
    """The counts over the lists of one slice.

    Attributes:
        ranks: how many lists have the held-out item at each rank, 0 the best.
        lengths: how many lists have each number of `candidate_ids`.
        non_finite: lists without a rank, because a score is NaN or infinite.
    """

    ranks: collections.Counter[int]
    lengths: collections.Counter[int]
    non_finite: int

    def total(self, gain: Gain) -> float:
        """Returns the sum of `gain(rank)` over the lists; NaN if a list has no rank.

        A diverged model must not be evaluated by the lists on which it still works.
        """
        if self.non_finite:
            return float("nan")
        ranks = np.array(sorted(self.ranks), np.int64)
        return float(np.dot(gain(ranks), [self.ranks[rank] for rank in ranks.tolist()]))

    def mean(self, gain: Gain) -> float:
        """Returns the mean of `gain(rank)`; NaN if a list has no rank."""
        return self.total(gain) / self.lists

    def standard_error(self, gain: Gain) -> float:
        """Returns sqrt(sum((gain - mean)^2) / (n (n - 1))) over the n lists.

        The lists are taken as independent draws, as they are with one list per user.
        The result is NaN for a single list, and if a list has no rank.
        """
        if self.lists < 2:
            return float("nan")
        mean = self.mean(gain)
        squares = self.total(lambda ranks: (gain(ranks) - mean) ** 2)
        return float(np.sqrt(squares / self.lists / (self.lists - 1)))

    @property
    def lists(self) -> int:
        return self.lengths.total()


def counters(*sources: str) -> list[Counter]:
    """Returns the computations that count ranks by each source.

    Args:
        *sources: `MODEL`, or the name of a feature that holds scores.
    """
    return [functools.partial(_count, source) for source in sources]


def _count(source: str, model_name: str) -> metric_types.MetricComputation:
    if source != MODEL:
        model_name = ""  # A feature ranks alike whichever models are compared.
    # TFMA drops names with a leading underscore from what it writes.
    key = metric_types.MetricKey(name=f"_counts/{source}", model_name=model_name)
    return metric_types.MetricComputation(
        keys=[key],
        preprocessors=[Rank(source, model_name)],
        combiner=_CountLists(key),
    )


class Rank(metric_types.Preprocessor):
    """Reduces one list to (rank, or None if a score is not finite; length)."""

    def __init__(self, source: str, model_name: str) -> None:
        # TFMA tells preprocessors apart by name.
        super().__init__(name=f"rank by {source} {model_name}")
        self._source = source
        self._model_name = model_name

    def process(self, extracts: Mapping[str, Any]) -> Iterator[tuple[int | None, int]]:
        record = util.StandardExtracts(extracts)
        candidates = record.features.get(features.CANDIDATE_IDS)
        length = 0 if candidates is None else np.size(candidates)
        if not length:
            raise ValueError(
                f"Each record must hold `{features.CANDIDATE_IDS}`, the held-out item "
                "first; this one holds none. Evaluate the split that NegativeSampling "
                f"wrote. Features: {sorted(record.features)}."
            )
        seen = record.features.get(features.SEEN_IDS)
        whole = seen is not None and np.size(seen)
        if whole or self._source in features.RIVALS:
            yield self._rank_in_catalogue(record), length
        else:
            yield _rank(self._scores(record, length)), length

    def _rank_in_catalogue(self, record: util.StandardExtracts) -> int | None:
        if self._source != MODEL:
            name = features.BASELINE_RANK.format(baseline_name(self._source))
            rank = record.features.get(name)
            if rank is None or np.size(rank) != 1:
                raise ValueError(
                    f"The record must hold one `{name}`; this one holds "
                    f"{0 if rank is None else np.size(rank)}."
                )
            return int(np.ravel(rank)[0]) if np.ravel(rank)[0] >= 0 else None
        scores = catalogue_scores(record, self._model_name)
        ranked = ~np.isinf(scores)
        ranked[0] = True
        return _rank(scores[ranked])

    def _scores(self, record: util.StandardExtracts, length: int) -> np.ndarray:
        """Returns [length] scores of the candidates, without padding."""
        if self._source == MODEL:
            scores = record.get_predictions(model_name=self._model_name or None)
            # The model pads the lists of a batch to the longest of them.
            matches = np.size(scores) >= length
        else:
            scores = record.features.get(self._source)
            matches = np.size(scores) == length
        if scores is None or not matches:
            raise ValueError(
                f"`{self._source}` must give one score per candidate, {length} for "
                f"this list; it gave {0 if scores is None else np.size(scores)}."
            )
        return np.ravel(scores)[:length]


def catalogue_scores(record: util.StandardExtracts, model_name: str) -> np.ndarray:
    """Returns [1 + num_items] scores: the held-out item's, then each item's."""
    scores = record.get_predictions(model_name=model_name or None)
    if np.size(scores) < 2:
        raise ValueError(
            f"The model must score the whole catalogue for a record with "
            f"`{features.SEEN_IDS}`; it gave {np.size(scores)} score. Was it "
            "exported by an earlier release?"
        )
    return np.ravel(scores)


def _rank(scores: np.ndarray) -> int | None:
    if not np.isfinite(scores).all():
        return None
    return int(ranking.ranks(scores[np.newaxis])[0])


class _CountLists(beam.CombineFn):
    """Counts (rank, length) pairs."""

    def __init__(self, key: metric_types.MetricKey) -> None:
        self._key = key

    def create_accumulator(self) -> ListCounts:
        return ListCounts(collections.Counter(), collections.Counter(), 0)

    def add_input(
        self, accumulator: ListCounts, element: tuple[int | None, int]
    ) -> ListCounts:
        rank, length = element
        accumulator.lengths[length] += 1
        if rank is None:
            accumulator.non_finite += 1
        else:
            accumulator.ranks[rank] += 1
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[ListCounts]) -> ListCounts:
        merged = self.create_accumulator()
        for part in accumulators:
            merged.ranks.update(part.ranks)
            merged.lengths.update(part.lengths)
            merged.non_finite += part.non_finite
        return merged

    def extract_output(
        self, accumulator: ListCounts
    ) -> dict[metric_types.MetricKey, ListCounts]:
        return {self._key: accumulator}


def prefix(scores: str) -> str:
    """Returns "" for the model, "popularity/" for `candidate_popularity`."""
    return "" if scores == MODEL else f"{baseline_name(scores)}/"


def baseline_name(feature: str) -> str:
    """Returns "popularity" for `candidate_popularity`."""
    return feature.removeprefix(_FEATURE_PREFIX)
