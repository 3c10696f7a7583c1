"""Compares the new model with another, list by list, as metrics of TFX's Evaluator.

The argument `over` is one of `features.RIVALS`, models blessed before whose ranks stand
in the records, or a baseline's feature, such as `candidate_popularity`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
from tensorflow_model_analysis.metrics import metric_types

from ncf_model import features
from ncf_model.evaluation import list_counts, metrics
from ncf_model.evaluation.paired import PairedHits

_Pair = tuple[bool | None, bool | None]


class HitRateDifference(metric_types.Metric):
    """The model's hit rate less the rival's, and the error of the difference."""

    def __init__(self, top_k: int, over: str, name: str | None = None) -> None:
        """Names the metric `latest_blessed/hit_rate_difference@10`."""
        name = name or f"{list_counts.prefix(over)}hit_rate_difference@{top_k}"
        super().__init__(_difference, top_k=top_k, over=over, name=name)


class HitRatePValue(metric_types.Metric):
    """The chance that an equally good model looks so bad: `PairedHits.p_value`."""

    def __init__(self, top_k: int, over: str, name: str | None = None) -> None:
        """Names the metric `latest_blessed/hit_rate_p_value@10`."""
        name = name or f"{list_counts.prefix(over)}hit_rate_p_value@{top_k}"
        super().__init__(_p_value, top_k=top_k, over=over, name=name)


def _difference(
    top_k: int, over: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    figures = {
        name: lambda pairs: pairs.difference,
        name + metrics.STANDARD_ERROR: lambda pairs: pairs.standard_error,
    }
    return _computations(figures, top_k, over, model_names)


def _p_value(
    top_k: int, over: str, name: str, model_names: list[str] | None = None
) -> metric_types.MetricComputations:
    return _computations({name: lambda p: p.p_value}, top_k, over, model_names)


def _computations(
    figures: Mapping[str, Callable[[PairedHits], float]],
    top_k: int,
    over: str,
    model_names: list[str] | None,
) -> metric_types.MetricComputations:
    def counter(model_name: str) -> metric_types.MetricComputation:
        key = metric_types.MetricKey(
            name=f"_pairs@{top_k}/{over}", model_name=model_name
        )
        return metric_types.MetricComputation(
            keys=[key],
            preprocessors=[_Hits(top_k, over, model_name)],
            combiner=_CountPairs(key),
        )

    def values(pairs: PairedHits) -> dict[str, float]:
        return {name: figure(pairs) for name, figure in figures.items()}

    return metrics.computations_of(list(figures), model_names, [counter], values)


class _Hits(metric_types.Preprocessor):
    """Reduces a list to whether each model hits; None for a model without a rank."""

    def __init__(self, top_k: int, over: str, model_name: str) -> None:
        super().__init__(name=f"hits@{top_k} and of {over} {model_name}")
        self._top_k = top_k
        self._must_rank = over in features.RIVALS
        self._new = list_counts.Rank(list_counts.MODEL, model_name)
        self._old = list_counts.Rank(over, "")

    def process(self, extracts: Mapping[str, Any]) -> Iterator[_Pair]:
        ((new, _),) = self._new.process(extracts)
        ((old, _),) = self._old.process(extracts)
        if old is None and self._must_rank:
            raise ValueError("A model blessed before must have a rank in every list.")
        yield self._hit(new), self._hit(old)

    def _hit(self, rank: int | None) -> bool | None:
        return None if rank is None else rank < self._top_k


class _CountPairs(beam.CombineFn):
    """Counts the lists on which one model or both hit."""

    def __init__(self, key: metric_types.MetricKey) -> None:
        self._key = key

    def create_accumulator(self) -> PairedHits:
        return PairedHits()

    def add_input(self, accumulator: PairedHits, element: _Pair) -> PairedHits:
        accumulator.add(*element)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[PairedHits]) -> PairedHits:
        return sum(accumulators, PairedHits())

    def extract_output(
        self, accumulator: PairedHits
    ) -> dict[metric_types.MetricKey, PairedHits]:
        return {self._key: accumulator}
