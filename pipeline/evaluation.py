"""What the Evaluator measures, and the rules by which it blesses a model.

TFMA is imported only where a proto is built: reading a configuration has to be quick.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from ncf_model import features
from ncf_model.config import BaselinesConfig, Config

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

Share = Annotated[float, pydantic.Field(ge=0, le=1)]
METRICS_MODULE = "ncf_model.evaluation.metrics"
PAIRED_MODULE = "ncf_model.evaluation.paired_metrics"
GATE_TOP_K = 10
SIGNATURE = "evaluate"

Arguments = Mapping[str, str | int | list[int]]  # of a metric's constructor

# Hit rates are multiples of 1 / lists. This is far below that, and above the rounding
# error of the difference of two rates, so that "exactly at the limit" is decided right.
_ROUNDING = 1e-9


class GateConfig(Config):
    """When a model is blessed, hence pushed. All rules are on HR@10 and all must hold.

    Attributes:
        min_hit_rate: at least this, a fraction in [0, 1].
        baseline: what a model has to be better than. `popularity`: ranking by
            popularity, by `popularity_margin`. `best`: that, and not worse than any
            baseline beyond chance (`significance`). `none`: no such rule. The default
            asks for what each first model must do; a run says in any case which method
            is best. A gate of `best` would keep an old model in place where the new one
            is better than that, but not than a baseline that nobody serves.
        popularity_margin: at least this much above ranking by popularity on the same
            lists. Above 0, so that a model no better than popularity never passes.
        tolerance: at most this much below the latest blessed model, and below the best
            that was blessed so far, on the same lists. So no series of models can end
            more than this below the best. Without such models there is no rule.
        significance: nor may it be worse than either beyond chance: an equally good
            model would look as bad with a probability below this (one-sided, exact
            McNemar test; `ncf_model.evaluation.paired`). 0 leaves that rule out.
        replace_equal: whether a model with the latest blessed model's very HR@10
            replaces it. False demands one better than that and than the best, so
            `tolerance` must be 0.
        min_hit_rate_of_slices: floors of single slices, such as
            {"item_popularity=tail": 0.2, "user_activity=1 least": 0.4}.
    """

    min_hit_rate: float = pydantic.Field(default=0.0, ge=0, le=1)
    baseline: Literal["popularity", "best", "none"] = "popularity"
    popularity_margin: float = pydantic.Field(default=0.01, gt=0, lt=1)
    tolerance: float = pydantic.Field(default=0.01, ge=0, lt=1)
    significance: float = pydantic.Field(default=0.05, ge=0, lt=0.5)
    replace_equal: bool = True
    min_hit_rate_of_slices: dict[str, Share] = {}

    @pydantic.model_validator(mode="after")
    def _check(self) -> "GateConfig":
        if not self.replace_equal and self.tolerance:
            raise ValueError(
                "`replace_equal` false demands a better model, so `tolerance` must be "
                f"0; got {self.tolerance}."
            )
        if self.baseline == "best" and not self.significance:
            raise ValueError(
                "`baseline: best` judges by `significance`, which must be above 0; "
                f"got {self.significance}."
            )
        for name in self.min_hit_rate_of_slices:
            feature, _, group = name.partition("=")
            if group not in features.SLICES.get(feature, ()):
                raise ValueError(
                    "`min_hit_rate_of_slices` must name each slice as `feature=group`, "
                    f"these are {features.SLICES}; got {name!r}."
                )
        return self


class EvaluationConfig(Config):
    """What is measured on the `eval` lists, and what must hold.

    Attributes:
        top_k: the K of HR@K, NDCG@K and, where the whole catalogue is ranked, of
            coverage; the gate needs 10 among them.
        gate: when a model is blessed.
        baselines: what is measured beside the model, besides popularity.
        served: whether the model in service is judged on what came since it was
            trained, before a new one is trained.
    """

    top_k: tuple[pydantic.PositiveInt, ...] = (1, 5, 10, 20)
    gate: GateConfig = GateConfig()
    baselines: BaselinesConfig = BaselinesConfig()
    served: bool = False

    @pydantic.model_validator(mode="after")
    def _check(self) -> "EvaluationConfig":
        if GATE_TOP_K not in self.top_k:
            raise ValueError(
                f"`top_k` must hold {GATE_TOP_K}, which the gate judges by; "
                f"got {list(self.top_k)}."
            )
        return self


def eval_config(
    config: EvaluationConfig, *, eval_negatives: int | Literal["all"]
) -> "config_pb2.EvalConfig":
    """Returns the configuration of the Evaluator.

    TFMA's limits are inclusive: a figure exactly at one passes. NaN passes none.

    Args:
        config: what is measured and what must hold.
        eval_negatives: negatives asked for per list; a list with fewer is a short one.
            A whole catalogue, "all", is never short.
    """
    from google.protobuf import json_format
    from tensorflow_model_analysis.proto import config_pb2

    metrics = [
        *_quality(config, {}, _gate_thresholds(config.gate)),
        *(
            metric
            for feature in _baselines(config.baselines)
            for metric in _quality(config, {"scores": feature}, {})
        ),
        _lift(config.gate),
        *(
            metric
            for feature in _baselines(config.baselines)
            for metric in _beside(feature, config.gate)
        ),
        *(m for rival in features.RIVALS for m in _against(rival, config)),
        _metric("NonFiniteLists", {}, {"value_threshold": {"upper_bound": 0}}),
        _metric("Lists", {}),
    ]
    if eval_negatives == "all":
        sources = [{}, *({"scores": f} for f in _baselines(config.baselines))]
        metrics += [
            _metric("Coverage", {"top_k": list(config.top_k), **source})
            for source in sources
        ]
    else:
        metrics.append(_metric("ShortLists", {"length": 1 + eval_negatives}))
    return json_format.ParseDict(
        {
            "model_specs": [{"signature_name": SIGNATURE, "model_type": "tf_generic"}],
            "metrics_specs": [{"metrics": metrics}],
            "slicing_specs": [
                {},
                *({"feature_keys": [key]} for key in features.SLICES),
            ],
            "options": {"include_default_metrics": False},
        },
        config_pb2.EvalConfig(),
    )


def _quality(
    config: EvaluationConfig, source: Arguments, gate: dict[str, Any]
) -> list[dict[str, Any]]:
    """Returns HR@K, NDCG@K and MRR of what `source` names, with the gate on HR@10."""
    metrics = [_metric("MRR", source)]
    for k in config.top_k:
        hit_rate = _metric("HitRateAtK", {"top_k": k, **source})
        metrics.append(hit_rate | (gate if k == GATE_TOP_K else {}))
        metrics.append(_metric("NDCGAtK", {"top_k": k, **source}))
    return metrics


def _gate_thresholds(gate: GateConfig) -> dict[str, Any]:
    """Returns the floors."""
    limits = [_limit({}, {"value_threshold": {"lower_bound": gate.min_hit_rate}})]
    for name, floor in gate.min_hit_rate_of_slices.items():
        feature, _, group = name.partition("=")
        limits.append(
            _limit(
                {"feature_values": {feature: group}},
                {"value_threshold": {"lower_bound": floor}},
            )
        )
    return {"per_slice_thresholds": limits}


def _against(rival: str, config: EvaluationConfig) -> list[dict[str, Any]]:
    """Returns the figures of a model blessed before, and the limits against it.

    ExplainingEvaluator leaves those of a model out that there is not.
    """
    gate = config.gate
    least = -gate.tolerance - _ROUNDING if gate.replace_equal else _ROUNDING
    arguments: Arguments = {"top_k": GATE_TOP_K, "over": rival}
    pairs = [
        ("HitRateDifference", {"value_threshold": {"lower_bound": least}}),
        ("HitRatePValue", {"value_threshold": {"lower_bound": gate.significance}}),
    ]
    return [
        *_quality(config, {"scores": rival}, {}),
        *(_metric(name, arguments, x) | {"module": PAIRED_MODULE} for name, x in pairs),
    ]


def _beside(baseline: str, gate: GateConfig) -> list[dict[str, Any]]:
    """Returns how the model stands to a baseline list by list, and the rule if any."""
    arguments: Arguments = {"top_k": GATE_TOP_K, "over": baseline}
    limit = {"value_threshold": {"lower_bound": gate.significance}}
    pairs = [
        ("HitRateDifference", None),
        ("HitRatePValue", limit if gate.baseline == "best" else None),
    ]
    return [
        _metric(name, arguments, x) | {"module": PAIRED_MODULE} for name, x in pairs
    ]


def _limit(slicing: dict[str, Any], threshold: dict[str, Any]) -> dict[str, Any]:
    """Returns a threshold for one slice; TFMA's plain one would be for every slice."""
    return {"slicing_specs": [slicing], "threshold": threshold}


def _baselines(config: BaselinesConfig) -> list[str]:
    """Returns the features whose scores are measured beside the model's."""
    asked = {
        "item_knn": config.item_knn_neighbours,
        "ease": config.ease_l2,
        "ials": config.ials_l2,
    }
    return [
        features.CANDIDATE_POPULARITY,
        *(features.CANDIDATE_SCORES.format(name) for name in asked if asked[name]),
    ]


def _lift(gate: GateConfig) -> dict[str, Any]:
    limit = {"value_threshold": {"lower_bound": gate.popularity_margin}}
    return _metric(
        "HitRateLift",
        {"top_k": GATE_TOP_K, "over": features.CANDIDATE_POPULARITY},
        None if gate.baseline == "none" else limit,
    )


def _metric(
    class_name: str, arguments: Arguments, threshold: dict[str, Any] | None = None
) -> dict[str, Any]:
    """Returns a `tfma.MetricConfig` in its JSON form."""
    metric: dict[str, Any] = {
        "class_name": class_name,
        "module": METRICS_MODULE,
        "config": json.dumps(dict(arguments), sort_keys=True),
    }
    limits = {"per_slice_thresholds": [_limit({}, threshold)]} if threshold else {}
    return metric | limits
