"""How the page calls things, and what it says of the figures in sentences."""

import json
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

from components.report.document import Summary
from ncf_model.documents import Figures
from ncf_model.evaluation.result import Quality
from ncf_model.training.history import History

MODEL = "NeuMF"
LAST_BLESSED = "last blessed model"
GATE_METRIC = "hit_rate@10"
_METHODS = {"item_knn": "item-kNN", "ease": "EASE", "ials": "iALS"}
_METRICS = {"hit_rate": "HR", "ndcg": "NDCG", "mrr": "MRR"}
_COUNTS = {
    "rows_read": "rows read",
    "rows_skipped": "rows refused, because they could not be read",
    "rows_below_min_rating": "rows left out, because the rating is below "
    "data.min_rating",
    "duplicates_dropped": "rows merged, because the user had the item already",
    "users_dropped_by_filter": "users left out by data.min_interactions and "
    "data.max_interactions",
    "train_positives": "interactions that the model is trained on",
    "train_rows_per_epoch": "training rows per epoch, negatives included",
    "validation_lists": "lists that choose the epoch",
    "eval_lists": "lists that the model is judged by",
    "short_lists": "lists with fewer candidates than asked for",
    "users_without_eval": "users who are not evaluated, as they have too few items",
}
# Said elsewhere on the page, or settings and not counts.
_NOT_SHOWN = ("num_users", "num_items", "num_interactions", "seed", "mode", "sampling")


class Method(NamedTuple):
    """A way to rank, with its figures."""

    name: str
    metrics: Figures
    errors: Figures


def metric(name: str) -> str:
    """Returns what people call a metric.

    >>> metric("hit_rate@10"), metric("mrr"), metric("coverage@5")
    ('HR@10', 'MRR', 'coverage@5')
    """
    kind, at, k = name.partition("@")
    return _METRICS.get(kind, kind.replace("_", " ")) + at + k


def method(name: str) -> str:
    """Returns what people call a baseline."""
    return _METHODS.get(name, name.replace("_", "-"))


def group(name: str) -> str:
    """Returns what people call a slice.

    >>> group("user_activity=1 least")
    'user activity: 1 least'
    """
    return name.replace("_", " ").replace("=", ": ")


def methods(quality: Quality) -> list[Method]:
    """Returns the model, the baselines and the last blessed model, if there is one."""
    found = [Method(MODEL, quality.metrics, quality.standard_errors)]
    for name, figures in quality.baselines.items():
        errors = quality.baseline_standard_errors.get(name, {})
        found.append(Method(method(name), figures, errors))
    if quality.blessed_model:
        found.append(Method(LAST_BLESSED, quality.blessed_model, {}))
    return found


def best(quality: Quality, metric_name: str) -> set[str]:
    """Returns the methods with the highest value of a metric; none if all are equal."""
    values = {
        name: value
        for name, metrics, _ in methods(quality)
        if (value := metrics.get(metric_name)) is not None
    }
    if len(set(values.values())) < 2:
        return set()
    return {name for name, value in values.items() if value == max(values.values())}


def who_is_best(summary: Summary) -> str:
    """Returns which method is best by HR@10, and how sure that is."""
    rivals = [row for row in methods(summary)[1:] if _value(row) is not None]
    model = methods(summary)[0]
    if _value(model) is None or not rivals:
        return ""
    rival = max(rivals, key=lambda row: _value(row) or 0.0)
    difference = _number(model) - _number(rival)
    first, second = (model, rival) if difference >= 0 else (rival, model)
    distance = f"{abs(difference):.4f} above that of {second.name}"
    errors = [row.errors.get(GATE_METRIC) for row in (model, rival)]
    if None not in errors and (error := math.hypot(*(e or 0.0 for e in errors))):
        distance += f", {abs(difference) / error:.1f} standard errors of the difference"
        distance += " if the two were independent"
    if not difference:
        return f"{model.name} and {rival.name} have the same HR@10 on these lists."
    return f"{first.name} is best on these lists: its HR@10 is {distance}."


def counts(*found: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns what nodes counted, in words."""
    return [
        (_COUNTS.get(name, name.replace("_", " ")), value)
        for properties in found
        for name, value in properties.items()
        if isinstance(value, int)
        and name not in _NOT_SHOWN
        and not name.startswith("has_")
    ]


def refusals(data: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Returns why rows were refused, and how many for each reason."""
    kinds = json.loads(data.get("rows_skipped_by_kind") or "{}")
    return [(kind.replace("_", " "), count) for kind, count in kinds.items()]


def found_while_training(history: History | None) -> list[tuple[str, Any]]:
    """Returns the settings that training found, or chose on validation items."""
    if history is None:
        return []
    chosen = {f"model.history.{k}": v for k, v in (history.history or {}).items()}
    chosen |= {
        f"linear part: {name}": value
        for name, value in (history.linear or {}).items()
        if not isinstance(value, list | dict)
    }
    return list(chosen.items())


def _value(row: Method) -> float | None:
    return row.metrics.get(GATE_METRIC)


def _number(row: Method) -> float:
    return _value(row) or 0.0
