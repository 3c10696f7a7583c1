"""Ranking metrics for TFX's Evaluator; one record is one list, the held-out item first.

Each list is reduced to a rank as early as TFMA allows, in a preprocessor; the combiner
only counts. Every figure at every K then follows from the same few counts, so that
another K or another metric costs nothing per list, and integer counts make the figures
independent of how Beam split the work.

No metric needs a label: the held-out item is known by its place. `scores` says what
ranks the list: the model, or a feature of the record that holds one number per
candidate, such as `candidate_popularity`. So a baseline is measured on the same lists
by the same code.

A record with `seen_ids` stands for the whole catalogue. There the model gives the
held-out item's score and then one per item, -inf for those not to be ranked and inf in
the held-out item's own place, and a baseline's rank is in the record, such as
`popularity_rank` for `candidate_popularity`. The ranks of models blessed before
(`features.RIVALS`) always are.

A mean over the lists comes with its standard error, under the name of the metric and
`STANDARD_ERROR`.
"""

import collections
import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import apache_beam as beam
import numpy as np

# On TFX 1.21 this must come before TFMA, which is else imported in part, silently.
import tfx  # noqa: F401
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import util

from ncf_model import features
from ncf_model.evaluation import ranking

MODEL = "model"  # `scores` of the model itself, not of a feature
STANDARD_ERROR = "_standard_error"  # Appended to the name of a mean.
_FEATURE_PREFIX = "candidate_"

# TFMA prefers a metric of its own to one of the same class name in our module, and has
# an `NDCG`, which needs a label and a query key: hence `NDCGAtK`.

Gain = Callable[[np.ndarray], np.ndarray]  # [B] ranks -> [B] float
Figures = Callable[..., dict[str, float]]  # what was counted -> metrics by name
Counter = Callable[[str], metric_types.MetricComputation]  # of a model's name


@dataclasses.dataclass
class ListCounts:
    """What the lists of one slice come to.

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

        A diverged model must not be judged by the lists on which it still works.
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

        The lists are taken as independent draws, as they are with one per user. NaN
        for a single list, and if a list has no rank.
        """
        if self.lists < 2:
            return float("nan")
        mean = self.mean(gain)
        squares = self.total(lambda ranks: (gain(ranks) - mean) ** 2)
        return float(np.sqrt(squares / self.lists / (self.lists - 1)))

    @property
    def lists(self) -> int:
        return self.lengths.total()


class HitRateAtK(metric_types.Metric):
    """The share of lists with the held-out item among the first `top_k`."""

    def __init__(
        self, top_k: int, scores: str = MODEL, name: str | None = None
    ) -> None:
        """Names the metric `hit_rate@10`, of a baseline `popularity/hit_rate@10`."""
        name = name or f"{prefix(scores)}hit_rate@{positive(top_k)}"
        super().__init__(_hit_rate, top_k=top_k, scores=scores, name=name)


class NDCGAtK(metric_types.Metric):
    """The mean of ln 2 / ln(rank + 2) where the rank is below `top_k`, else 0."""

    def __init__(
        self, top_k: int, scores: str = MODEL, name: str | None = None
    ) -> None:
        """Names the metric `ndcg@10`, of a baseline `popularity/ndcg@10`."""
        name = name or f"{prefix(scores)}ndcg@{positive(top_k)}"
        super().__init__(_ndcg, top_k=top_k, scores=scores, name=name)


class MRR(metric_types.Metric):
    """The mean of 1 / (rank + 1) over the whole list.

    With one relevant item in a list, mean average precision is the same figure.
    """

    def __init__(self, scores: str = MODEL, name: str | None = None) -> None:
        """Names the metric `mrr`, of a baseline `popularity/mrr`."""
        super().__init__(_mrr, scores=scores, name=name or f"{prefix(scores)}mrr")


class Coverage(metric_types.Metric):
    """The share of the catalogue that is among the `top_k` best items of any user.

    The catalogue and the order are those of `recommend`, but for the held-out item,
    which takes part. Every record must have `seen_ids`: the first places of a sampled
    list tell of the sample, not of what would be recommended.
    """

    def __init__(self, top_k: Sequence[int], name: str = "coverage") -> None:
        """Names the metrics `coverage@5` and `coverage@10` for `top_k` [5, 10]."""
        top_k = [positive(k) for k in top_k]
        super().__init__(_coverage, top_k=top_k, name=name)


class HitRateLift(metric_types.Metric):
    """The model's hit rate less that of a baseline on the same lists.

    A metric of its own, so that "above popularity by a margin" is a plain threshold.
    """

    def __init__(self, top_k: int, over: str, name: str | None = None) -> None:
        """Names the metric `popularity/hit_rate_lift@10`; `over` is a feature."""
        name = name or f"{prefix(over)}hit_rate_lift@{positive(top_k)}"
        super().__init__(_hit_rate_lift, top_k=top_k, over=over, name=name)


class Lists(metric_types.Metric):
    """The number of lists."""

    def __init__(self, name: str = "lists") -> None:
        super().__init__(_lists, name=name)


class ShortLists(metric_types.Metric):
    """The number of lists with fewer than `length` candidates, held-out item included.

    A user who has seen nearly everything leaves too few items to draw from, and a short
    list is an easy one.
    """

    def __init__(self, length: int, name: str = "short_lists") -> None:
        super().__init__(_short_lists, length=positive(length), name=name)


class NonFiniteLists(metric_types.Metric):
    """The number of lists with a NaN or infinite score. Such a list has no rank."""

    def __init__(self, scores: str = MODEL, name: str | None = None) -> None:
        """Names the metric `non_finite_lists`, of a baseline `popularity/...`."""
        name = name or f"{prefix(scores)}non_finite_lists"
        super().__init__(_non_finite_lists, scores=scores, name=name)


def _hit_rate(
    top_k: int, scores: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def gain(ranks: np.ndarray) -> np.ndarray:
        return ranking.hit_rate(ranks, top_k)

    return _mean(name, model_names, scores, gain)


def _ndcg(
    top_k: int, scores: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def gain(ranks: np.ndarray) -> np.ndarray:
        return ranking.ndcg(ranks, top_k)

    return _mean(name, model_names, scores, gain)


def _mrr(
    scores: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    return _mean(name, model_names, scores, lambda ranks: 1.0 / (ranks + 1.0))


def _mean(
    name: str, model_names: list[str] | None, scores: str, gain: Gain
) -> metric_types.MetricComputations:
    def figures(counts: ListCounts) -> dict[str, float]:
        return {
            name: counts.mean(gain),
            name + STANDARD_ERROR: counts.standard_error(gain),
        }

    return computations_of(
        [name, name + STANDARD_ERROR], model_names, _counters(scores), figures
    )


def _hit_rate_lift(
    top_k: int, over: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(model: ListCounts, baseline: ListCounts) -> dict[str, float]:
        # Hits are whole numbers, so a lift of exactly the margin is not lost to
        # rounding, as it is when two rates are subtracted.
        hits, baseline_hits = (
            counts.total(lambda ranks: ranking.hit_rate(ranks, top_k))
            for counts in (model, baseline)
        )
        return {name: (hits - baseline_hits) / model.lists}

    return computations_of([name], model_names, _counters(MODEL, over), figures)


def _coverage(
    top_k: list[int], name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    names = [f"{name}@{k}" for k in top_k]

    def figures(shown: ShownItems) -> dict[str, float]:
        return {of_k: shown.share(k) for of_k, k in zip(names, top_k, strict=True)}

    counter = functools.partial(_show, max(top_k))
    return computations_of(names, model_names, [counter], figures)


def _lists(
    name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    return computations_of(
        [name], model_names, _counters(MODEL), lambda counts: {name: counts.lists}
    )


def _short_lists(
    length: int, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(counts: ListCounts) -> dict[str, float]:
        return {name: sum(n for size, n in counts.lengths.items() if size < length)}

    return computations_of([name], model_names, _counters(MODEL), figures)


def _non_finite_lists(
    scores: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(counts: ListCounts) -> dict[str, float]:
        return {name: counts.non_finite}

    return computations_of([name], model_names, _counters(scores), figures)


def computations_of(
    names: list[str],
    model_names: list[str] | None,
    counters: Sequence[Counter],
    figures: Figures,
) -> metric_types.MetricComputations:
    """Returns the counts that metrics need, and the metrics as derived from them.

    TFMA keeps one of several equal computations, so all metrics share the counts.

    Args:
        names: of the metrics.
        model_names: one result for each; "" for the only model.
        counters: what is counted, one for each argument of `figures`.
        figures: the metrics as a function of the counts.
    """
    computations: metric_types.MetricComputations = []
    for model_name in model_names or [""]:
        counted = [counter(model_name) for counter in counters]
        keys = {
            name: metric_types.MetricKey(name=name, model_name=model_name)
            for name in names
        }
        inputs = [computation.keys[0] for computation in counted]
        computations += [*counted, _derive(keys, inputs, figures)]
    return computations


def _derive(
    keys: dict[str, metric_types.MetricKey],
    inputs: list[metric_types.MetricKey],
    figures: Figures,
) -> metric_types.DerivedMetricComputation:
    def result(
        metrics: Mapping[metric_types.MetricKey, Any],
    ) -> dict[metric_types.MetricKey, float]:
        found = figures(*(metrics[counts] for counts in inputs))
        return {keys[name]: value for name, value in found.items()}

    return metric_types.DerivedMetricComputation(
        keys=list(keys.values()), result=result
    )


def _counters(*sources: str) -> list[Counter]:
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
            name = features.BASELINE_RANK.format(_baseline(self._source))
            rank = record.features.get(name)
            if rank is None or np.size(rank) != 1:
                raise ValueError(
                    f"The record must hold one `{name}`; this one holds "
                    f"{0 if rank is None else np.size(rank)}."
                )
            return int(np.ravel(rank)[0]) if np.ravel(rank)[0] >= 0 else None
        scores = _catalogue_scores(record, self._model_name)
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


def _catalogue_scores(record: util.StandardExtracts, model_name: str) -> np.ndarray:
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


@dataclasses.dataclass
class ShownItems:
    """Which items of the catalogue are among the first of any list.

    Attributes:
        best: [num_items] int64, the best place that each item has in any list, from 0;
            the number of places that were looked at where it has none of them.
        non_finite: lists without an order, because a score is NaN or infinite.
    """

    best: np.ndarray
    non_finite: int

    def share(self, top_k: int) -> float:
        """Returns the share of items among the first `top_k`; NaN without an order."""
        return float("nan") if self.non_finite else float((self.best < top_k).mean())


def _show(places: int, model_name: str) -> metric_types.MetricComputation:
    key = metric_types.MetricKey(name=f"_shown@{places}", model_name=model_name)
    return metric_types.MetricComputation(
        keys=[key],
        preprocessors=[_Show(places, model_name)],
        combiner=_CountShown(key, places),
    )


class _Show(metric_types.Preprocessor):
    """Reduces one list to (number of items, its first ones; None without an order)."""

    def __init__(self, places: int, model_name: str) -> None:
        super().__init__(name=f"show {places} {model_name}")
        self._places = places
        self._model_name = model_name

    def process(
        self, extracts: Mapping[str, Any]
    ) -> Iterator[tuple[int, np.ndarray | None]]:
        record = util.StandardExtracts(extracts)
        if not np.size(record.features.get(features.SEEN_IDS, ())):
            raise ValueError(
                f"Coverage needs records with `{features.SEEN_IDS}`; this one has "
                "none. Leave it out, or evaluate with `eval_negatives: all`."
            )
        held_out, *_ = scores = _catalogue_scores(record, self._model_name)
        items = np.where(scores[1:] == np.inf, held_out, scores[1:])
        ordered = np.isfinite(held_out) and not np.isnan(items).any()
        yield len(items), ranking.top(items, self._places) if ordered else None


class _CountShown(beam.CombineFn):
    """Keeps the best place of each item."""

    def __init__(self, key: metric_types.MetricKey, places: int) -> None:
        self._key = key
        self._places = places

    def create_accumulator(self) -> ShownItems | None:
        return None  # The first list tells how many items there are.

    def add_input(
        self, accumulator: ShownItems | None, element: tuple[int, np.ndarray | None]
    ) -> ShownItems:
        num_items, shown = element
        if accumulator is None:
            accumulator = ShownItems(np.full(num_items, self._places), non_finite=0)
        if shown is None:
            accumulator.non_finite += 1
        else:
            best = accumulator.best
            best[shown] = np.minimum(best[shown], np.arange(len(shown)))
        return accumulator

    def merge_accumulators(
        self, accumulators: Iterable[ShownItems | None]
    ) -> ShownItems | None:
        parts = [part for part in accumulators if part is not None]
        if not parts:
            return None
        return ShownItems(
            functools.reduce(np.minimum, (part.best for part in parts)),
            sum(part.non_finite for part in parts),
        )

    def extract_output(
        self, accumulator: ShownItems
    ) -> dict[metric_types.MetricKey, ShownItems]:
        return {self._key: accumulator}


def prefix(scores: str) -> str:
    """Returns "" for the model, "popularity/" for `candidate_popularity`."""
    return "" if scores == MODEL else f"{_baseline(scores)}/"


def _baseline(feature: str) -> str:
    return feature.removeprefix(_FEATURE_PREFIX)


def positive(count: int) -> int:
    """Returns `count`; raises ValueError if it is below 1."""
    if count < 1:
        raise ValueError(f"`top_k` and `length` must be >= 1; got {count}.")
    return count
