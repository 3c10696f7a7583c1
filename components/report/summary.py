"""The result of a run as one dictionary, `summary.json`; free of TFX."""

import contextlib
import importlib.metadata
import math
import platform
from collections.abc import Mapping
from typing import Any

# What TFX itself notes on every Examples artifact.
_TFX_PROPERTIES = (
    *("file_format", "input_fingerprint", "is_external", "payload_format"),
    *("span", "tfx_version"),
)
# The same module under several names: images have the build for their hardware.
_TENSORFLOWS = ("tensorflow", "tensorflow-cpu", "tensorflow-tpu")
VERSIONS_OF = ("tfx", "tensorflow", "keras", "tensorflow-model-analysis", "apache-beam")


def summarise(
    *,
    dataset: str,
    interactions: Mapping[str, Any],
    lists: Mapping[str, Any],
    history: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    blessing: Mapping[str, Any],
    pushed: Mapping[str, Any],
) -> dict[str, Any]:
    """Returns the contents of `summary.json`, strict JSON without NaN.

    Args:
        dataset: the name of the data.
        interactions: custom properties of InteractionsExampleGen's Examples.
        lists: custom properties of NegativeSampling's Examples.
        history: the trainer's `history.json`.
        evaluation: `ncf_model.evaluation.evaluation_result.read_evaluation`.
        blessing: custom properties of the ModelBlessing.
        pushed: custom properties of the PushedModel.
    """
    blessed = bool(blessing.get("blessed"))
    return {
        "dataset": dataset,
        "num_users": interactions["num_users"],
        "num_items": interactions["num_items"],
        "num_interactions": interactions["num_interactions"],
        **_quality(evaluation),
        "baseline": _finite(evaluation["baseline"]),
        "slices": {
            name: {"lists": figures["lists"], **_quality(figures)}
            for name, figures in evaluation["slices"].items()
        },
        "blessed": blessed,
        "not_blessed_because": [
            failure["message"] for failure in evaluation["failures"]
        ],
        "pushed_to": pushed.get("pushed_destination") if pushed.get("pushed") else None,
        "not_pushed_because": _not_pushed(blessed, pushed),
        "seconds": {},
        "train": {
            "examples_per_second": history["examples_per_second"],
            "epochs": len(history["epochs"]),
            "best_epoch": history["best_epoch"],
            "final_loss": history["final_loss"],
        },
        "data": _ours(interactions),
        "lists": _ours(lists),
        "versions": _versions(),
    }


def _not_pushed(blessed: bool, pushed: Mapping[str, Any]) -> str | None:
    """Returns why a blessed model was not pushed; None of any other."""
    if not blessed or pushed.get("pushed"):
        return None
    return str(pushed.get("not_pushed_because", ""))


def _quality(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Returns metrics and standard errors of the model and of each baseline."""
    return {
        "metrics": _finite(figures["metrics"]),
        "standard_errors": _finite(figures["standard_errors"]),
        **{
            kind: {name: _finite(values) for name, values in figures[kind].items()}
            for kind in ("baselines", "baseline_standard_errors")
        },
    }


def _ours(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the properties that our components wrote, sorted by name."""
    return {
        name: properties[name]
        for name in sorted(properties.keys() - set(_TFX_PROPERTIES))
    }


def _finite(metrics: Mapping[str, float]) -> dict[str, float | None]:
    """Returns `metrics` with null for what is not a number, as JSON wants it."""
    return {
        name: value if math.isfinite(value) else None for name, value in metrics.items()
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
