"""Reads what the Evaluator wrote, as plain numbers and as reasons people can read."""

import math
from typing import Any

# On TFX 1.21 this must come before TFMA, which is else imported in part, silently.
import tfx  # noqa: F401
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.writers import (
    metrics_plots_and_validations_writer as writer,
)

COUNTS = ("lists", "short_lists", "non_finite_lists")
_POPULARITY = "popularity/"
_LIFT = "hit_rate_lift@"


def read_evaluation(uri: str) -> dict[str, Any]:
    """Returns the figures over all lists, and why a model was not blessed.

    Args:
        uri: the folder of the Evaluator's `evaluation` artifact.

    Returns:
        `metrics`: of the candidate, such as {"hit_rate@10": 0.65, "ndcg@10": 0.37}.
        `baseline`: the same of ranking by popularity, on the same lists.
        `lift`: what the candidate adds to it, {"hit_rate@10": 0.24}.
        `blessed_model`: as `metrics`, of the latest blessed model; {} without one.
        `lists`, `short_lists`, `non_finite_lists`: how many there were.
        `blessed`: whether every rule holds.
        `failures`: per broken rule {"metric", "value", "rule", "message"}.

        Figures are NaN if a score was not finite, and absent if there was no list.
    """
    figures = _figures(uri)
    result = _sort(figures.get(constants.CANDIDATE_KEY, {}))
    result["blessed_model"] = _sort(figures.get(constants.BASELINE_KEY, {}))["metrics"]
    validation = writer.load_and_deserialize_validation_result(uri)
    result["blessed"] = validation.validation_ok
    result["failures"] = [
        _explain(failure, result)
        for per_slice in validation.metric_validations_per_slice
        for failure in per_slice.failures
    ]
    if validation.missing_slices:
        result["failures"].append(_NO_LISTS)
    return result


_NO_LISTS = {
    "metric": "lists",
    "value": 0,
    "rule": "at least 1",
    "message": (
        "There was no list to judge by: each user needs at least two interactions with "
        "different items. See the counts that NegativeSampling reports."
    ),
}


def _figures(uri: str) -> dict[str, dict[str, float]]:
    """Returns the values over all lists by model and by name."""
    figures: dict[str, dict[str, float]] = {}
    for record in writer.load_and_deserialize_metrics(uri):
        if record.slice_key.single_slice_keys:
            continue
        for item in record.metric_keys_and_values:
            if not item.key.is_diff:
                # TFMA leaves the name out where there is one model only.
                model = item.key.model_name or constants.CANDIDATE_KEY
                value = item.value.double_value.value
                figures.setdefault(model, {})[item.key.name] = value
    return figures


def _sort(figures: dict[str, float]) -> dict[str, Any]:
    """Splits the names of one model into its metrics, the baseline's, and counts."""
    result: dict[str, Any] = {"metrics": {}, "baseline": {}, "lift": {}}
    result |= {name: int(figures.get(name, 0)) for name in COUNTS}
    for name, value in figures.items():
        short = name.removeprefix(_POPULARITY)
        if short.startswith(_LIFT):
            result["lift"][short.replace(_LIFT, "hit_rate@")] = value
        elif short != name:
            result["baseline"][short] = value
        elif name not in COUNTS:
            result["metrics"][name] = value
    return result


def _explain(failure: Any, result: dict[str, Any]) -> dict[str, Any]:
    """Returns a broken rule in words."""
    name = failure.metric_key.name
    value = failure.metric_value.double_value.value
    rule = _rule(failure)
    return {
        "metric": name,
        "value": value,
        "rule": rule,
        "message": f"{_finding(failure, value, result)}; it must be {rule}.",
    }


def _rule(failure: Any) -> str:
    threshold = failure.metric_threshold
    if threshold.HasField("change_threshold"):
        limit = threshold.change_threshold.absolute.value
        if limit > 0:
            return "above that of the latest blessed model"
        return f"at most {-limit:.6g} below that of the latest blessed model"
    limits = threshold.value_threshold
    if limits.HasField("upper_bound"):
        return f"at most {limits.upper_bound.value:.6g}"
    return f"at least {limits.lower_bound.value:.6g}"


def _finding(failure: Any, value: float, result: dict[str, Any]) -> str:
    name = failure.metric_key.name
    if failure.message:
        return f"{name}: {failure.message.strip()}"
    if name == "non_finite_lists":
        return (
            f"The model gives NaN or infinite scores in {value:.0f} of "
            f"{result['lists']} lists, so it cannot be judged (a smaller learning rate "
            "may help)"
        )
    if math.isnan(value):
        return f"{name} is not a number"
    if failure.metric_key.is_diff:
        candidate = result["metrics"][name]
        blessed = result["blessed_model"][name]
        return f"{name} is {candidate:.4f}, against {blessed:.4f} on the same lists"
    return f"{name} is {value:.4f}"
