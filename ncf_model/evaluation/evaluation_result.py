"""Reads what the Evaluator wrote, as figures and as reasons that people can read."""

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
from ncf_model.evaluation.result import Comparison, EvaluationResult, Paired, Rule

_LISTS = "lists"
_NON_FINITE = "non_finite_lists"
_COUNTS = (_LISTS, "short_lists", _NON_FINITE)
_POPULARITY = "popularity"
_ERRORS, _BASELINE_ERRORS = "standard_errors", "baseline_standard_errors"
_HR_10 = "hit_rate@10"


def read_evaluation(uri: str) -> EvaluationResult:
    """Returns the figures over all lists, and why a model was not blessed.

    A figure is null if a score was not finite, and absent if there was no list. The
    slices are in the order of `features.SLICES`.

    Args:
        uri: the folder of the Evaluator's `evaluation` artifact.
    """
    figures = _figures(uri)
    slices = {name: _compared(figures[name]) for name in sorted(figures, key=_order)}
    whole = slices.pop("", None) or _compared({})
    validation = writer.load_and_deserialize_validation_result(uri)
    failures = [
        _explain(failure, slices.get(name, whole), of=name)
        for per_slice in validation.metric_validations_per_slice
        for name in [_slice_name(per_slice.slice_key)]
        for failure in per_slice.failures
    ]
    if whole.lists:
        failures += [_no_slice(spec) for spec in validation.missing_slices]
    else:
        failures.append(_no_lists())
    # Scores that are not finite cause figures that are no numbers: they come first.
    failures.sort(key=lambda failure: failure.metric != _NON_FINITE)
    return EvaluationResult(
        **dict(whole),
        blessed=validation.validation_ok,
        slices=slices,
        failures=failures,
        rules=[*failures, *_kept_rules(uri, figures, failures)],
    )


def _kept_rules(
    uri: str, figures: dict[str, dict[str, dict[str, float]]], failures: list[Rule]
) -> list[Rule]:
    """Returns the rules of the gate that hold."""
    broken = {(rule.metric, rule.rule, rule.of) for rule in failures}
    config, *_ = eval_config_writer.load_eval_run(uri)
    rules = []
    for metric, of, limit in gate_rules.thresholds(config) if config else ():
        rule = gate_rules.words(metric, limit)
        measured = figures.get(of, {}).get(constants.CANDIDATE_KEY, {})
        if metric in measured and (metric, rule, of) not in broken:
            value = measured[metric]
            kept = Rule(metric=metric, value=value, rule=rule, of=of, passed=True)
            rules.append(kept)
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


def _compared(by_model: dict[str, dict[str, float]]) -> Comparison:
    """Returns the figures of the candidate together with those of the blessed model."""
    figures = by_model.get(constants.CANDIDATE_KEY, {})
    kinds = _arrange(_without_rivals(figures))
    comparisons = {
        rival: _comparison(rival, figures)
        for rival in features.RIVALS
        if f"{rival}/mrr" in figures
    }
    baselines = kinds["baselines"]
    latest = comparisons.get(features.LATEST_BLESSED, Paired())
    return Comparison(
        **kinds,
        **{name: int(figures.get(name, 0)) for name in _COUNTS},
        baseline=baselines.get(_POPULARITY, {}),
        comparisons=comparisons,
        against_baselines={
            name: _comparison(name, figures)
            for name in baselines
            if f"{name}/{DIFFERENCE}" in figures
        },
        blessed_model=latest.metrics,
    )


def _without_rivals(figures: dict[str, float]) -> dict[str, float]:
    prefixes = tuple(f"{rival}/" for rival in features.RIVALS)
    return {k: value for k, value in figures.items() if not k.startswith(prefixes)}


def _comparison(rival: str, figures: dict[str, float]) -> Paired:
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
    return Paired(
        difference=own.pop(DIFFERENCE, None),
        standard_error=own.pop(DIFFERENCE + STANDARD_ERROR, None),
        p_value=own.pop(P_VALUE, None),
        metrics={
            k: value for k, value in own.items() if not k.endswith(STANDARD_ERROR)
        },
    )


def _arrange(figures: dict[str, float]) -> dict[str, dict[str, Any]]:
    """Returns the figures of one model by fields of `Comparison`: whose they are."""
    kinds = ("metrics", "baselines", "lift", _ERRORS, _BASELINE_ERRORS)
    found: dict[str, dict[str, Any]] = {kind: {} for kind in kinds}
    for name, value in figures.items():
        baseline, _, metric = name.removesuffix(STANDARD_ERROR).rpartition("/")
        is_error = name.endswith(STANDARD_ERROR)
        if metric in (DIFFERENCE, P_VALUE):
            continue  # Of `against_baselines`.
        if name.startswith(LIFT):
            found["lift"][_hit_rate(name)] = value
        elif baseline:
            kind = _BASELINE_ERRORS if is_error else "baselines"
            found[kind].setdefault(baseline, {})[metric] = value
        elif name not in _COUNTS:
            found[_ERRORS if is_error else "metrics"][metric] = value
    return found


def _hit_rate(lift: str) -> str:
    return f"hit_rate@{lift.removeprefix(LIFT)}"


def _listless(message: str, of: str = "") -> Rule:
    """Returns the rule that there must be lists, which does not hold."""
    return Rule(metric=_LISTS, rule="at least 1", value=0, of=of, message=message)


def _no_lists() -> Rule:
    return _listless(
        "There was no list to evaluate: a user needs two interactions or more to have "
        "one. See the counts that NegativeSampling reports."
    )


def _no_slice(spec: Any) -> Rule:
    """Returns why a floor of a slice without lists does not hold."""
    name = ",".join(f"{key}={group}" for key, group in spec.feature_values.items())
    message = (
        f"The slice {name} has a floor but no list; take the floor out of "
        "`min_hit_rate_of_slices`."
    )
    return _listless(message, of=name)


def _explain(failure: Any, result: Comparison, *, of: str) -> Rule:
    """Returns a broken rule in words; `of` is a slice, or "" for all lists."""
    name = failure.metric_key.name
    value = failure.metric_value.double_value.value
    rule = gate_rules.words(name, failure.metric_threshold)
    if failure.message:  # TFMA's own message, where TFMA could not compare at all.
        message = f"{name} must be {rule}: {failure.message.strip()}"
    elif name == _NON_FINITE:
        message = (
            f"The model gives NaN or infinite scores in {value:.0f} of {result.lists} "
            "lists, so it cannot be evaluated; a smaller learning rate may help."
        )
    else:
        message = f"{_finding(failure, value, result)}; it must be {rule}."
    if of:
        message = f"In the slice {of}: {message}"
    return Rule(metric=name, value=value, rule=rule, of=of, message=message)


def _finding(failure: Any, value: float, result: Comparison) -> str:
    """Returns what was measured; both figures where two are compared."""
    name = failure.metric_key.name
    rival, _, figure = name.partition("/")
    if figure in (DIFFERENCE, P_VALUE):
        return _compared_finding(rival, figure, result)
    if name.startswith(LIFT):
        name = _hit_rate(name)
        other = f", popularity's {result.baseline[name]:.6g}"
    else:
        other = ""
    if math.isnan(value):
        return f"{name} is not a number"
    return f"{name} is {result.metrics[name]:.6g}{other}"


def _compared_finding(rival: str, figure: str, result: Comparison) -> str:
    """Returns a sentence with both models' figures and how sure the difference is."""
    comparisons, name = result.comparisons | result.against_baselines, _HR_10
    comparison = comparisons[rival]
    if comparison.difference is None:
        return f"{name} is not a number"
    text = (
        f"{name} is {result.metrics[name]:.6g}, {gate_rules.called(rival)}'s "
        f"{comparison.metrics[name]:.6g} on the same lists"
    )
    if figure == P_VALUE:
        chance = f"{comparison.p_value:.2g}"
        return f"{text}, and one as good would look so bad with p {chance}"
    error = comparison.standard_error
    return text if error is None else f"{text} (difference ± {error:.2g})"
