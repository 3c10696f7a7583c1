"""Reads what the Evaluator wrote, as plain numbers and as reasons people can read."""

import math
from typing import Any

# On TFX 1.21 this must come before TFMA, which is else imported in part, silently.
import tfx  # noqa: F401
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.writers import (
    metrics_plots_and_validations_writer as writer,
)

_LISTS = "lists"
_NON_FINITE = "non_finite_lists"
_COUNTS = (_LISTS, "short_lists", _NON_FINITE)
_POPULARITY = "popularity/"
_LIFT = f"{_POPULARITY}hit_rate_lift@"


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
    result = _arrange(figures.get(constants.CANDIDATE_KEY, {}))
    blessed = _arrange(figures.get(constants.BASELINE_KEY, {}))
    validation = writer.load_and_deserialize_validation_result(uri)
    result |= {
        "blessed_model": blessed["metrics"],
        "blessed": validation.validation_ok,
    }
    failures = [
        _explain(failure, result)
        for per_slice in validation.metric_validations_per_slice
        for failure in per_slice.failures
    ]
    if not result[_LISTS]:
        failures.append(_no_lists())
    # A score that is not finite is the cause, figures that are no numbers the effect.
    failures.sort(key=lambda failure: failure["metric"] != _NON_FINITE)
    return result | {"failures": failures}


def _figures(uri: str) -> dict[str, dict[str, float]]:
    """Returns the values over all lists, by model and by name."""
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


def _arrange(figures: dict[str, float]) -> dict[str, Any]:
    """Splits the figures of one model into its own, the baseline's, and counts."""
    result: dict[str, Any] = {"metrics": {}, "baseline": {}, "lift": {}}
    result |= {name: int(figures.get(name, 0)) for name in _COUNTS}
    for name, value in figures.items():
        if name.startswith(_LIFT):
            result["lift"][_hit_rate(name)] = value
        elif name.startswith(_POPULARITY):
            result["baseline"][name.removeprefix(_POPULARITY)] = value
        elif name not in _COUNTS:
            result["metrics"][name] = value
    return result


def _hit_rate(lift: str) -> str:
    return f"hit_rate@{lift.removeprefix(_LIFT)}"


def _no_lists() -> dict[str, Any]:
    message = (
        "There was no list to judge by: a user needs two interactions or more to have "
        "one. See the counts that NegativeSampling reports."
    )
    return {"metric": _LISTS, "value": 0, "rule": "at least 1", "message": message}


def _explain(failure: Any, result: dict[str, Any]) -> dict[str, Any]:
    """Returns a broken rule in words."""
    name = failure.metric_key.name
    value = failure.metric_value.double_value.value
    rule = _rule(failure)
    if failure.message:  # TFMA's own, where it could not compare at all.
        message = f"{name} must be {rule}: {failure.message.strip()}"
    elif name == _NON_FINITE:
        message = (
            f"The model gives NaN or infinite scores in {value:.0f} of "
            f"{result[_LISTS]} lists, so it cannot be judged; a smaller learning rate "
            "may help."
        )
    else:
        message = f"{_finding(failure, value, result)}; it must be {rule}."
    return {"metric": name, "value": value, "rule": rule, "message": message}


def _rule(failure: Any) -> str:
    threshold = failure.metric_threshold
    if threshold.HasField("change_threshold"):
        limit = threshold.change_threshold.absolute.value
        if limit > 0:
            return "above the latest blessed model's"
        return f"at most {-limit:.6g} below the latest blessed model's"
    if threshold.value_threshold.HasField("upper_bound"):
        return f"at most {threshold.value_threshold.upper_bound.value:.6g}"
    above = " above popularity's" if failure.metric_key.name.startswith(_LIFT) else ""
    return f"at least {threshold.value_threshold.lower_bound.value:.6g}{above}"


def _finding(failure: Any, value: float, result: dict[str, Any]) -> str:
    """Returns what was measured; both figures where two are compared."""
    name, metrics = failure.metric_key.name, result["metrics"]
    if name.startswith(_LIFT):
        name = _hit_rate(name)
        other = f", popularity's {result['baseline'][name]:.6g}"
    elif failure.metric_key.is_diff:
        other = f", the latest blessed model's {result['blessed_model'][name]:.6g}"
    else:
        other = ""
    if math.isnan(value):
        return f"{name} is not a number"
    return f"{name} is {metrics[name]:.6g}{other}"
