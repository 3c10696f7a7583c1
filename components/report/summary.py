"""Puts the contents of `summary.json` together; free of TFX."""

import contextlib
import dataclasses
import importlib.metadata
import json
import platform
from collections.abc import Mapping
from typing import Any

from components.report.document import (
    Distribution,
    HeldOutUsers,
    Setting,
    ShownUser,
    Summary,
    Train,
)
from ncf_model import features
from ncf_model.evaluation.result import EvaluationResult, Quality
from ncf_model.evaluation.served_result import Served
from ncf_model.training.training_history import History

# Properties that TFX itself gives every Examples artifact.
_TFX_PROPERTIES = (
    *("files", "file_format", "input_fingerprint", "is_external", "payload_format"),
    *("span", "tfx_version"),
)
# Packages of TensorFlow: an image has the one for its hardware.
_TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-tpu")
VERSIONS_OF = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Findings:
    """The results of the nodes before Report.

    Attributes:
        interactions: custom properties of InteractionsExampleGen's Examples.
        lists: custom properties of NegativeSampling's Examples.
        context: custom properties of EvalContext's Examples.
        history: the training, by Trainer.
        evaluation: the result of the Evaluator.
        blessing: custom properties of the ModelBlessing.
        pushed: custom properties of the PushedModel.
        distribution: how the interactions are spread.
        users: the users to show.
        served: how the served model did on what came after its training; None if that
            was not evaluated.
        held_out_users: the figures of users who were held out whole; None without any.
    """

    interactions: Mapping[str, Any]
    lists: Mapping[str, Any]
    history: History
    evaluation: EvaluationResult
    blessing: Mapping[str, Any]
    pushed: Mapping[str, Any]
    context: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    distribution: Distribution = dataclasses.field(default_factory=Distribution)
    users: list[ShownUser] = dataclasses.field(default_factory=list)
    served: Served | None = None
    held_out_users: HeldOutUsers | None = None


def summarise(
    dataset: str, findings: Findings, config: Mapping[str, Setting]
) -> Summary:
    """Returns the contents of `summary.json`.

    Args:
        dataset: the name of the data.
        findings: the results of the nodes.
        config: every field of the configuration by its dotted name.
    """
    evaluation, history = findings.evaluation, findings.history
    blessed, pushed = bool(findings.blessing.get("blessed")), findings.pushed
    quality = {name: getattr(evaluation, name) for name in Quality.model_fields}
    return Summary(
        dataset=dataset,
        **{
            name: findings.interactions[name]
            for name in ("num_users", "num_items", "num_interactions")
        },
        candidates=_candidates(findings.lists, evaluation.short_lists),
        **quality,
        baseline=evaluation.baseline,
        slices=evaluation.slices,
        baseline_settings=json.loads(findings.context.get("baseline_settings", "{}")),
        baselines_left_out=_left_out(evaluation, findings.context),
        ranked=str(findings.blessing.get("candidates", "")),
        catalogue_digest=str(findings.blessing.get("catalogue_digest", "")),
        blessed=blessed,
        not_blessed_because=[failure.message for failure in evaluation.failures],
        rules=evaluation.rules or evaluation.failures,
        not_compared=str(
            findings.blessing.get(features.NOT_COMPARED_PROPERTY, "")
        ).splitlines(),
        pushed_to=pushed.get("pushed_destination") if pushed.get("pushed") else None,
        not_pushed_because=_not_pushed(blessed, pushed),
        train=Train(
            examples_per_second=history.examples_per_second,
            epochs=len(history.epochs),
            best_epoch=history.best_epoch,
            final_loss=history.final_loss,
        ),
        history=history,
        config=with_tuned(config, history.tuned),
        data=_ours(findings.interactions),
        lists=_ours(findings.lists),
        distribution=findings.distribution,
        users=findings.users,
        served=findings.served,
        held_out_users=findings.held_out_users,
        versions=_versions(),
    )


def with_tuned(
    config: Mapping[str, Setting], tuned: Mapping[str, Any]
) -> dict[str, Setting]:
    """Returns the configuration with what Tuner chose in place of what was given."""
    found = dict(config)
    for name, value in tuned.items():
        default = found[name].default if name in found else None
        found[name] = Setting(value=value, default=default, tuned=True)
    return found


def _not_pushed(blessed: bool, pushed: Mapping[str, Any]) -> str | None:
    """Returns why a blessed model was not pushed; None for any other model."""
    if not blessed or pushed.get("pushed"):
        return None
    return str(pushed.get("not_pushed_because", ""))


def _candidates(lists: Mapping[str, Any], short_lists: int) -> str:
    """Returns what the held-out items were ranked among, in words.

    Args:
        lists: custom properties of NegativeSampling's Examples.
        short_lists: how many lists have fewer candidates than asked for.
    """
    negatives = json.loads(lists.get("sampling") or "{}").get("eval_negatives")
    if negatives == "all":
        return "of the whole catalogue"
    fewer = " or fewer" if short_lists else ""
    return f"of {1 + negatives} candidates{fewer}" if negatives else ""


def _left_out(
    evaluation: EvaluationResult, context: Mapping[str, Any]
) -> dict[str, str]:
    """Returns why a baseline has no figures, by its name."""
    reasons = json.loads(context.get("baselines_left_out", "{}"))
    return {
        name: reasons.get(name, "was left out; the log of EvalContext says why")
        for name, figures in evaluation.baselines.items()
        if all(value is None for value in figures.values())
    }


def _ours(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the properties that our components wrote, sorted by name."""
    return {
        name: properties[name]
        for name in sorted(properties.keys() - set(_TFX_PROPERTIES))
    }


def _versions() -> dict[str, str]:
    versions = {name: _version(name) for name in VERSIONS_OF}
    return {"python": platform.python_version()} | versions


def _version(name: str) -> str:
    *others, last = _TENSORFLOWS if name == "tensorflow" else (name,)
    for build in others:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            return importlib.metadata.version(build)
    return importlib.metadata.version(last)
