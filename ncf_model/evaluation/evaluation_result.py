"""Reads what the Evaluator wrote, as plain numbers and as reasons people can read."""

import math
from typing import Any

# On TFX 1.21 tfx must be imported before TFMA; otherwise names of TFMA are missing.
import tfx  # noqa: F401
from tensorflow_model_analysis import constants
from tensorflow_model_analysis.writers import eval_config_writer
from tensorflow_model_analysis.writers import (
    metrics_plots_and_validations_writer as writer,
)

from ncf_model import features
from ncf_model.evaluation import gate_rules
from ncf_model.evaluation.gate_rules import DIFFERENCE, LIFT, P_VALUE
from ncf_model.evaluation.metrics import STANDARD_ERROR

_LISTS = "lists"
_NON_FINITE = "non_finite_lists"
_COUNTS = (_LISTS, "short_lists", _NON_FINITE)
_POPULARITY = "popularity"
_ERRORS, _BASELINE_ERRORS = "standard_errors", "baseline_standard_errors"
_HR_10 = "hit_rate@10"
_LISTLESS = {"metric": _LISTS, "value": 0, "rule": "at least 1"}


def read_evaluation(uri: str) -> dict[str, Any]:
    """Returns the figures over all lists, and why a model was not blessed.

    Args:
        uri: the folder of the Evaluator's `evaluation` artifact.

    Returns:
        `metrics`: of the candidate, such as {"hit_rate@10": 0.65, "ndcg@10": 0.37}.
        `baseline`: the metrics of ranking by popularity, on the same lists.
        `baselines`: the metrics of every baseline by name, popularity among them.
        `standard_errors`: of those `metrics` that are means over the lists.
        `baseline_standard_errors`: standard errors of every baseline by name.
        `lift`: the candidate's hit rates less popularity's, {"hit_rate@10": 0.24}.
        `blessed_model`: the metrics of the latest blessed model; {} without one.
        `comparisons`: with the latest and the best blessed model, where there are such,
            by name: the `metrics` of that model on the same lists, the `difference` in
            HR@10, the `standard_error` of the difference, and the `p_value` of an exact
            McNemar test that the new model is no worse.
        `against_baselines`: comparisons of the same form with every baseline, by name.
        `lists`, `short_lists`, `non_finite_lists`: how many lists there were.
        `blessed`: whether every rule of the gate holds.
        `failures`: per broken rule {"metric", "value", "rule", "message"}.
        `rules`: all rules in the form of `failures`, each with `passed`; a rule that
            holds has the message "".
        `slices`: by `feature=group`, the figures of those lists alone, in the order of
            `features.SLICES`.

        Figures are NaN if a score was not finite, and absent if there was no list.
    """
    figures = _figures(uri)
    slices = {name: _compared(figures[name]) for name in sorted(figures, key=_order)}
    result = slices.pop("", None) or _compared({})
    validation = writer.load_and_deserialize_validation_result(uri)
    result |= {"blessed": validation.validation_ok, "slices": slices}
    failures = [
        _explain(failure, slices.get(name, result), of=name)
        for per_slice in validation.metric_validations_per_slice
        for name in [_slice_name(per_slice.slice_key)]
        for failure in per_slice.failures
    ]
    if result[_LISTS]:
        failures += [_no_slice(spec) for spec in validation.missing_slices]
    else:
        failures.append(_no_lists())
    # Scores that are not finite cause figures that are no numbers: they come first.
    failures.sort(key=lambda failure: failure["metric"] != _NON_FINITE)
    return result | {"failures": failures, "rules": _rules(uri, figures, failures)}


def _rules(
    uri: str,
    figures: dict[str, dict[str, dict[str, float]]],
    failures: list[dict[str, Any]],
) -> list[dict[str, Any]]:
    """Returns the broken rules of the gate, and after them the rules that hold."""
    rules = [failure | {"passed": False} for failure in failures]
    broken = {(rule["metric"], rule["rule"], rule["of"]) for rule in failures}
    config, *_ = eval_config_writer.load_eval_run(uri)
    for metric, of, limit in gate_rules.thresholds(config) if config else ():
        rule = gate_rules.words(metric, limit)
        measured = figures.get(of, {}).get(constants.CANDIDATE_KEY, {})
        if metric in measured and (metric, rule, of) not in broken:
            found = {"metric": metric, "value": measured[metric], "rule": rule}
            rules.append(found | {"of": of, "message": "", "passed": True})
    return rules


def _figures(uri: str) -> dict[str, dict[str, dict[str, float]]]:
    """Returns the values by slice ("" holds all lists), by model and by name."""
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for record in writer.load_and_deserialize_metrics(uri):
        of_slice = figures.setdefault(_slice_name(record.slice_key), {})
        for item in record.metric_keys_and_values:
            if not item.key.is_diff:
                # TFMA leaves the name out where there is one model only.
                model = item.key.model_name or constants.CANDIDATE_KEY
                value = item.value.double_value.value
                of_slice.setdefault(model, {})[item.key.name] = value
    return figures


def _slice_name(key: Any) -> str:
    """Returns `feature=group`; "" for the slice of all lists."""
    parts = []
    for part in key.single_slice_keys:
        value = getattr(part, part.WhichOneof("kind"))
        text = value.decode() if isinstance(value, bytes) else str(value)
        parts.append(f"{part.column}={text}")
    return ",".join(parts)


def _order(name: str) -> tuple[int, str]:
    """Returns the sort key of a slice: known ones by place, then the others by name."""
    known = [
        f"{key}={group}" for key, all_ in features.SLICES.items() for group in all_
    ]
    return (known.index(name) if name in known else len(known)), name


def _compared(by_model: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Returns the figures of the candidate together with those of the blessed model."""
    figures = by_model.get(constants.CANDIDATE_KEY, {})
    result = _arrange(_without_rivals(figures))
    comparisons = {
        rival: _comparison(rival, figures)
        for rival in features.RIVALS
        if f"{rival}/mrr" in figures
    }
    latest = comparisons.get(features.LATEST_BLESSED, {"metrics": {}})
    return result | {
        "comparisons": comparisons,
        "against_baselines": {
            name: _comparison(name, figures)
            for name in result["baselines"]
            if f"{name}/{DIFFERENCE}" in figures
        },
        "blessed_model": latest["metrics"],
    }


def _without_rivals(figures: dict[str, float]) -> dict[str, float]:
    prefixes = tuple(f"{rival}/" for rival in features.RIVALS)
    return {k: value for k, value in figures.items() if not k.startswith(prefixes)}


def _comparison(rival: str, figures: dict[str, float]) -> dict[str, Any]:
    """Returns what is known of the model beside `rival`, on the same lists.

    Args:
        rival: a model blessed before, or a baseline.
        figures: the model's figures, by their names in TFMA.
    """
    own = {
        name.removeprefix(f"{rival}/"): value
        for name, value in figures.items()
        if name.startswith(f"{rival}/")
    }
    paired = {
        "difference": own.pop(DIFFERENCE, math.nan),
        "standard_error": own.pop(DIFFERENCE + STANDARD_ERROR, math.nan),
        "p_value": own.pop(P_VALUE, math.nan),
    }
    metrics = {k: value for k, value in own.items() if not k.endswith(STANDARD_ERROR)}
    return {"metrics": metrics, **paired}


def _arrange(figures: dict[str, float]) -> dict[str, Any]:
    """Splits the figures of one model into its own, the baselines', and counts."""
    kinds = ("metrics", "baselines", "lift", _ERRORS, _BASELINE_ERRORS)
    result: dict[str, Any] = {kind: {} for kind in kinds}
    result |= {name: int(figures.get(name, 0)) for name in _COUNTS}
    for name, value in figures.items():
        baseline, _, metric = name.removesuffix(STANDARD_ERROR).rpartition("/")
        is_error = name.endswith(STANDARD_ERROR)
        if metric in (DIFFERENCE, P_VALUE):
            continue  # Of `against_baselines`.
        if name.startswith(LIFT):
            result["lift"][_hit_rate(name)] = value
        elif baseline:
            kind = _BASELINE_ERRORS if is_error else "baselines"
            result[kind].setdefault(baseline, {})[metric] = value
        elif name not in _COUNTS:
            result[_ERRORS if is_error else "metrics"][metric] = value
    result["baseline"] = result["baselines"].get(_POPULARITY, {})
    return result


def _hit_rate(lift: str) -> str:
    return f"hit_rate@{lift.removeprefix(LIFT)}"


def _no_lists() -> dict[str, Any]:
    message = (
        "There was no list to evaluate: a user needs two interactions or more to have "
        "one. See the counts that NegativeSampling reports."
    )
    return _LISTLESS | {"of": "", "message": message}


def _no_slice(spec: Any) -> dict[str, Any]:
    """Returns why a floor of a slice without lists does not hold."""
    name = ",".join(f"{key}={group}" for key, group in spec.feature_values.items())
    message = (
        f"The slice {name} has a floor but no list; take the floor out of "
        "`min_hit_rate_of_slices`."
    )
    return _LISTLESS | {"of": name, "message": message}


def _explain(failure: Any, result: dict[str, Any], *, of: str) -> dict[str, Any]:
    """Returns a broken rule in words; `of` is a slice, or "" for all lists."""
    name = failure.metric_key.name
    value = failure.metric_value.double_value.value
    rule = gate_rules.words(name, failure.metric_threshold)
    if failure.message:  # TFMA's own message, where TFMA could not compare at all.
        message = f"{name} must be {rule}: {failure.message.strip()}"
    elif name == _NON_FINITE:
        message = (
            f"The model gives NaN or infinite scores in {value:.0f} of "
            f"{result[_LISTS]} lists, so it cannot be evaluated; a smaller learning "
            "rate may help."
        )
    else:
        message = f"{_finding(failure, value, result)}; it must be {rule}."
    if of:
        message = f"In the slice {of}: {message}"
    found = {"metric": name, "value": value, "rule": rule}
    return found | {"of": of, "message": message}


def _finding(failure: Any, value: float, result: dict[str, Any]) -> str:
    """Returns what was measured; both figures where two are compared."""
    name, metrics = failure.metric_key.name, result["metrics"]
    rival, _, figure = name.partition("/")
    if figure in (DIFFERENCE, P_VALUE):
        return _compared_finding(rival, figure, result)
    if name.startswith(LIFT):
        name = _hit_rate(name)
        other = f", popularity's {result['baseline'][name]:.6g}"
    else:
        other = ""
    if math.isnan(value):
        return f"{name} is not a number"
    return f"{name} is {metrics[name]:.6g}{other}"


def _compared_finding(rival: str, figure: str, result: dict[str, Any]) -> str:
    """Returns a sentence with both models' figures and how sure the difference is."""
    comparisons, name = result["comparisons"] | result["against_baselines"], _HR_10
    comparison = comparisons[rival]
    if math.isnan(comparison["difference"]):
        return f"{name} is not a number"
    text = (
        f"{name} is {result['metrics'][name]:.6g}, {gate_rules.called(rival)}'s "
        f"{comparison['metrics'][name]:.6g} on the same lists"
    )
    if figure == P_VALUE:
        chance = f"{comparison['p_value']:.2g}"
        return f"{text}, and one as good would look so bad with p {chance}"
    error = comparison["standard_error"]
    return text if math.isnan(error) else f"{text} (difference ± {error:.2g})"
