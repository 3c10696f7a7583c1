"""Which items of the catalogue are among the first of any list: for coverage."""

import dataclasses
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import apache_beam as beam
import numpy as np
from tensorflow_model_analysis.metrics import metric_types
from tensorflow_model_analysis.utils import util

from ncf_model import features
from ncf_model.evaluation import list_counts, ranking


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


def counter(places: int, model_name: str) -> metric_types.MetricComputation:
    """Returns what finds the items in the first `places` of any list of a model."""
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
        held_out, *_ = scores = list_counts.catalogue_scores(record, self._model_name)
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
