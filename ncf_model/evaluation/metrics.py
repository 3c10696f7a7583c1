"""Ranking metrics for TFX's Evaluator; one record is one list, the held-out item first.

Every figure at every K is computed from the same few counts (`list_counts`,
`shown_items`), so that another K or another metric costs nothing per list.

No metric needs a label: the held-out item is known by its place. The argument `scores`
says what ranks the list: the model, or a feature of the record that holds one number
per candidate, such as `candidate_popularity`. So a baseline is measured on the same
lists by the same code.

A record with `seen_ids` stands for the whole catalogue. For such a record the model
gives the held-out item's score and then one score per item: -inf for items that are not
to be ranked, and inf in the held-out item's own place. A baseline's rank is in such a
record, for example `popularity_rank` for `candidate_popularity`. Every record holds the
ranks of the models blessed before (`features.RIVALS`).

A mean over the lists comes with its standard error, under the name of the metric and
`STANDARD_ERROR`.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

# On TFX 1.21 tfx must be imported before TFMA; otherwise names of TFMA are missing.
import tfx  # noqa: F401
from tensorflow_model_analysis.metrics import metric_types

from ncf_model.evaluation import list_counts, ranking, shown_items

STANDARD_ERROR = "_standard_error"  # Appended to the name of a mean.

# TFMA prefers a metric of its own to one of the same class name in our module, and has
# an `NDCG`, which needs a label and a query key: hence `NDCGAtK`.

Figures = Callable[..., dict[str, float]]  # what was counted -> metrics by name


class HitRateAtK(metric_types.Metric):
    """The share of lists with the held-out item among the first `top_k`."""

    def __init__(
        self, top_k: int, scores: str = list_counts.MODEL, name: str | None = None
    ) -> None:
        """Names the metric `hit_rate@10`, of a baseline `popularity/hit_rate@10`."""
        name = name or f"{list_counts.prefix(scores)}hit_rate@{positive(top_k)}"
        super().__init__(_hit_rate, top_k=top_k, scores=scores, name=name)


class NDCGAtK(metric_types.Metric):
    """The mean of ln 2 / ln(rank + 2) where the rank is below `top_k`, else 0."""

    def __init__(
        self, top_k: int, scores: str = list_counts.MODEL, name: str | None = None
    ) -> None:
        """Names the metric `ndcg@10`, of a baseline `popularity/ndcg@10`."""
        name = name or f"{list_counts.prefix(scores)}ndcg@{positive(top_k)}"
        super().__init__(_ndcg, top_k=top_k, scores=scores, name=name)


class MRR(metric_types.Metric):
    """The mean of 1 / (rank + 1) over the whole list.

    With one relevant item in a list, mean average precision is the same figure.
    """

    def __init__(
        self, scores: str = list_counts.MODEL, name: str | None = None
    ) -> None:
        """Names the metric `mrr`, of a baseline `popularity/mrr`."""
        super().__init__(
            _mrr, scores=scores, name=name or f"{list_counts.prefix(scores)}mrr"
        )


class Coverage(metric_types.Metric):
    """The share of the catalogue that is among the `top_k` best items of any user.

    Items are ranked as the signature `recommend` ranks them, except that the held-out
    item takes part. Every record must have `seen_ids`: the first places of a sampled
    list depend on the sample, and say little about what would be recommended.
    """

    def __init__(
        self,
        top_k: Sequence[int],
        scores: str = list_counts.MODEL,
        name: str | None = None,
    ) -> None:
        """Names the metrics `coverage@5` and `coverage@10` for `top_k` [5, 10].

        A baseline's metric is `popularity/coverage@5`, from its first items, which are
        in the record.
        """
        top_k = [positive(k) for k in top_k]
        name = name or f"{list_counts.prefix(scores)}coverage"
        super().__init__(_coverage, top_k=top_k, scores=scores, name=name)


class HitRateLift(metric_types.Metric):
    """The model's hit rate less that of a baseline on the same lists.

    This is a metric of its own, so that the rule "above popularity by a margin" can be
    a plain threshold.
    """

    def __init__(self, top_k: int, over: str, name: str | None = None) -> None:
        """Names the metric `popularity/hit_rate_lift@10`; `over` is a feature."""
        name = name or f"{list_counts.prefix(over)}hit_rate_lift@{positive(top_k)}"
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

    def __init__(
        self, scores: str = list_counts.MODEL, name: str | None = None
    ) -> None:
        """Names the metric `non_finite_lists`, of a baseline `popularity/...`."""
        name = name or f"{list_counts.prefix(scores)}non_finite_lists"
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
    name: str, model_names: list[str] | None, scores: str, gain: list_counts.Gain
) -> metric_types.MetricComputations:
    def figures(counts: list_counts.ListCounts) -> dict[str, float]:
        return {
            name: counts.mean(gain),
            name + STANDARD_ERROR: counts.standard_error(gain),
        }

    return computations_of(
        [name, name + STANDARD_ERROR],
        model_names,
        list_counts.counters(scores),
        figures,
    )


def _hit_rate_lift(
    top_k: int, over: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(
        model: list_counts.ListCounts, baseline: list_counts.ListCounts
    ) -> dict[str, float]:
        # Hits are whole numbers, so a lift of exactly the margin is not lost to
        # rounding, as it is when two rates are subtracted.
        hits, baseline_hits = (
            counts.total(lambda ranks: ranking.hit_rate(ranks, top_k))
            for counts in (model, baseline)
        )
        return {name: (hits - baseline_hits) / model.lists}

    return computations_of(
        [name], model_names, list_counts.counters(list_counts.MODEL, over), figures
    )


def _coverage(
    top_k: list[int],
    scores: str,
    name: str,
    model_names: list[str] | None = None,
) -> metric_types.MetricComputations:
    names = [f"{name}@{k}" for k in top_k]

    def figures(shown: shown_items.ShownItems) -> dict[str, float]:
        return {of_k: shown.share(k) for of_k, k in zip(names, top_k, strict=True)}

    counter = functools.partial(shown_items.counter, max(top_k), scores)
    return computations_of(names, model_names, [counter], figures)


def _lists(
    name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    return computations_of(
        [name],
        model_names,
        list_counts.counters(list_counts.MODEL),
        lambda counts: {name: counts.lists},
    )


def _short_lists(
    length: int, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(counts: list_counts.ListCounts) -> dict[str, float]:
        return {name: sum(n for size, n in counts.lengths.items() if size < length)}

    return computations_of(
        [name], model_names, list_counts.counters(list_counts.MODEL), figures
    )


def _non_finite_lists(
    scores: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    def figures(counts: list_counts.ListCounts) -> dict[str, float]:
        return {name: counts.non_finite}

    return computations_of([name], model_names, list_counts.counters(scores), figures)


def computations_of(
    names: list[str],
    model_names: list[str] | None,
    counters: Sequence[list_counts.Counter],
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


def positive(count: int) -> int:
    """Returns `count`; raises ValueError if it is below 1."""
    if count < 1:
        raise ValueError(f"`top_k` and `length` must be >= 1; got {count}.")
    return count
