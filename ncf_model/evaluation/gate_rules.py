"""The rules of the gate in words, from the thresholds that TFMA was given."""

import importlib
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from ncf_model import features

LIFT = "popularity/hit_rate_lift@"
DIFFERENCE, P_VALUE = "hit_rate_difference@10", "hit_rate_p_value@10"
_NAMES = {  # What messages call the models that a new one is compared with.
    features.LATEST_BLESSED: "the latest blessed model",
    features.BEST_BLESSED: "the best model blessed so far",
    "item_knn": "item-kNN",
    "ease": "EASE",
    "ials": "iALS",
}


class Threshold(NamedTuple):
    """A limit that TFMA holds a figure against.

    Attributes:
        metric: the figure's name.
        of: the slice, as `feature=group`; "" for all lists.
        limit: TFMA's `MetricThreshold`.
    """

    metric: str
    of: str
    limit: Any


def thresholds(eval_config: Any) -> Iterator[Threshold]:
    """Yields every limit of TFMA's `EvalConfig`."""
    for spec in eval_config.metrics_specs:
        for metric in spec.metrics:
            for per_slice in metric.per_slice_thresholds:
                for slicing in per_slice.slicing_specs:
                    groups = sorted(slicing.feature_values.items())
                    of = ",".join(f"{key}={group}" for key, group in groups)
                    yield Threshold(_name(metric), of, per_slice.threshold)


def words(metric: str, limit: Any) -> str:
    """Returns a limit in the words that follow "must be".

    Args:
        metric: the name of the figure.
        limit: TFMA's `MetricThreshold`.
    """
    rival, _, figure = metric.partition("/")
    bounds = limit.value_threshold
    least = bounds.lower_bound.value
    if figure == DIFFERENCE:
        if least > 0:
            return f"above {called(rival)}'s"
        return f"at most {-least:.6g} below {called(rival)}'s"
    if figure == P_VALUE:
        return f"no worse than {called(rival)}'s beyond chance (p at least {least:.6g})"
    if bounds.HasField("upper_bound"):
        return f"at most {bounds.upper_bound.value:.6g}"
    above = " above popularity's" if metric.startswith(LIFT) else ""
    return f"at least {least:.6g}{above}"


def called(rival: str) -> str:
    """Returns what messages call the model or baseline `rival`."""
    return _NAMES.get(rival, rival)


def _name(metric: Any) -> str:
    """Returns the name of the figure that a `MetricConfig` of ours asks for."""
    made = getattr(importlib.import_module(metric.module), metric.class_name)
    return str(made(**json.loads(metric.config or "{}")).name)
