"""Finds the items that are among the first of any list, for the metric coverage."""

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
    """The best place of each item of the catalogue over all lists.

    Attributes:
        best: [num_items] int64, the best place that each item has in any list, from 0.
            An item without such a place has the number of places that were looked at.
        non_finite: lists without an order, because a score is NaN or infinite.
    """

    best: np.ndarray
    non_finite: int

    def share(self, top_k: int) -> float:
        """Returns the share of items that are among the first `top_k` of any list.

        NaN if a list has no order.
        """
        return float("nan") if self.non_finite else float((self.best < top_k).mean())


def counter(
    places: int, source: str, model_name: str
) -> metric_types.MetricComputation:
    """Returns the computation that finds the items in the first `places` of lists.

    Args:
        places: how many of a list.
        source: `list_counts.MODEL`, or the feature of a baseline's scores.
        model_name: the model's name in TFMA; "" for the only model.
    """
    name = f"_shown@{places}/{source}"
    key = metric_types.MetricKey(name=name, model_name=model_name)
    return metric_types.MetricComputation(
        keys=[key],
        preprocessors=[_Show(places, source, model_name)],
        combiner=_CountShown(key, places),
    )


class _Show(metric_types.Preprocessor):
    """Reduces a list to the number of items, and its first items or None."""

    def __init__(self, places: int, source: str, model_name: str) -> None:
        super().__init__(name=f"show {places} {source} {model_name}")
        self._places = places
        self._source = source
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
        if self._source != list_counts.MODEL:
            yield len(scores) - 1, self._first_items(record)
            return
        items = np.where(scores[1:] == np.inf, held_out, scores[1:])
        ordered = np.isfinite(held_out) and not np.isnan(items).any()
        yield len(items), ranking.top(items, self._places) if ordered else None

    def _first_items(self, record: util.StandardExtracts) -> np.ndarray | None:
        """Returns a baseline's first items; None if the baseline was left out."""
        baseline = list_counts.prefix(self._source).removesuffix("/")
        found = record.features.get(features.FIRST_ITEMS.format(baseline), ())
        items = np.ravel(found).astype(np.int64)
        return items[items >= 0][: self._places] if len(items) else None


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
