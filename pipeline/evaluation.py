"""The metrics of the Evaluator, and the gate: the rules for blessing a model.

TFMA is imported only where a proto is built, so that a configuration is read quickly.
"""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal

import pydantic

from components.eval_context.config import BaselinesConfig
from ncf_model import features
from ncf_model.config import Config

if TYPE_CHECKING:
    from tensorflow_model_analysis.proto import config_pb2

Share = Annotated[float, pydantic.Field(ge=0, le=1)]
METRICS_MODULE = "ncf_model.evaluation.metrics"
PAIRED_MODULE = "ncf_model.evaluation.paired_metrics"
GATE_TOP_K = 10
SIGNATURE = "evaluate"

Arguments = Mapping[str, str | int | list[int]]  # Arguments of a metric's constructor.

# Hit rates are multiples of 1 / lists. This tolerance is far smaller, but larger than
# the rounding error of a difference of two rates, so that a difference exactly at a
# limit is decided right.
_ROUNDING = 1e-9


class GateConfig(Config):
    """The gate: the rules for blessing a model. All are on HR@10, and all must hold.

    Only a blessed model is pushed.

    Attributes:
        min_hit_rate: the least HR@10 of a model, a fraction in [0, 1].
        baseline: the baselines that a model must beat. `popularity`: ranking by
            popularity, by `popularity_margin`. `best`: the same, and the model must not
            be worse than any baseline beyond chance (see `significance`). `none`: there
            is no such rule. A run reports in any case which method is best. `best` is
            not the default, because it would keep an old model in service where the new
            one is better, but not better than a baseline that is not served.
        popularity_margin: by how much a model's HR@10 must be above that of ranking by
            popularity on the same lists. It is above 0, so that a model no better than
            popularity never passes.
        tolerance: by how much a model's HR@10 may be below that of the latest blessed
            model, and of the best model blessed so far, on the same lists. So no series
            of models ends more than this below the best. The rule does not apply if
            there are no such models.
        significance: a model must not be worse than the latest or the best blessed
            model beyond chance. It is worse if an equally good model would look as bad
            with a probability below this value (one-sided, exact McNemar test; see
            `ncf_model.evaluation.paired`). 0 leaves the rule out.
        replace_equal: whether a model with the same HR@10 as the latest blessed model
            replaces it. False demands a model that is better than the latest and than
            the best one, so `tolerance` must be 0 then.
        min_hit_rate_of_slices: the least HR@10 in single slices, such as
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
                "`baseline: best` uses `significance`, which must be above 0; "
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
    """The metrics on the `eval` lists, the gate, and the baselines.

    Attributes:
        top_k: the values of K of HR@K, NDCG@K and, where the whole catalogue is ranked,
            of coverage. 10 must be among them, for the gate.
        gate: the rules for blessing a model.
        baselines: the baselines, besides popularity, that are measured on the model's
            lists.
        served: whether the model in service is evaluated on what came after its
            training, before a new model is trained.
    """

    top_k: tuple[pydantic.PositiveInt, ...] = (1, 5, 10, 20)
    gate: GateConfig = GateConfig()
    baselines: BaselinesConfig = BaselinesConfig()
    served: bool = False

    @pydantic.model_validator(mode="after")
    def _check(self) -> "EvaluationConfig":
        if GATE_TOP_K not in self.top_k:
            raise ValueError(
                f"`top_k` must hold {GATE_TOP_K}, which the gate uses; "
                f"got {list(self.top_k)}."
            )
        return self


def eval_config(
    config: EvaluationConfig, *, eval_negatives: int | Literal["all"]
) -> "config_pb2.EvalConfig":
    """Returns the configuration of the Evaluator.

    TFMA's limits are inclusive: a figure exactly at a limit passes. NaN never passes.

    Args:
        config: the metrics and the gate.
        eval_negatives: the configured number of negatives per list; a list with fewer
            is a short one. "all", the whole catalogue, is never short.
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
    """Returns HR@K, NDCG@K and MRR of `source`, with the gate's limits on HR@10."""
    metrics = [_metric("MRR", source)]
    for k in config.top_k:
        hit_rate = _metric("HitRateAtK", {"top_k": k, **source})
        metrics.append(hit_rate | (gate if k == GATE_TOP_K else {}))
        metrics.append(_metric("NDCGAtK", {"top_k": k, **source}))
    return metrics


def _gate_thresholds(gate: GateConfig) -> dict[str, Any]:
    """Returns the thresholds for the least HR@10, of all lists and of slices."""
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
    """Returns the metrics of an older blessed model, and the limits against it.

    ExplainingEvaluator removes these metrics if there is no such model.
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
    """Returns the metrics that compare with a baseline, and its rule, if any."""
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
    """Returns a threshold for one slice, as TFMA's plain one is for every slice."""
    return {"slicing_specs": [slicing], "threshold": threshold}


def _baselines(config: BaselinesConfig) -> list[str]:
    """Returns the features with the scores of the baselines."""
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
