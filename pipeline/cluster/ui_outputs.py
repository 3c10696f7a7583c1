"""Writes the result of a run for the pages of Kubeflow and Vertex AI.

Both services show artifacts of their own types only: figures in the metadata of
`system.Metrics`, compared between runs, and a page in a `system.HTML`. TFX cannot
declare these types. So they are added to the compiled task of Report as outputs, and
the entry point fills them after the task. `system.ClassificationMetrics` would show
curves of a classifier, which a ranking does not have.
"""

import json
import math
import os
from collections.abc import Mapping
from typing import Any

from pipeline.nodes import ids

REPORT_KEY = "report"
METRICS_KEY = "metrics"
SLICES_KEY = "slice_metrics"
PAGE_KEY = "page"

OUTPUTS: Mapping[str, str] = {
    METRICS_KEY: "system.Metrics",
    SLICES_KEY: "system.Metrics",
    PAGE_KEY: "system.HTML",
}
_VERSION = "0.0.1"

Json = dict[str, Any]


def declare(spec: Json) -> None:
    """Declares these artifacts as outputs of Report in a specification, in place."""
    artifacts = spec["components"][ids.REPORT]["outputDefinitions"]["artifacts"]
    for key, title in OUTPUTS.items():
        kind = {"schemaTitle": title, "schemaVersion": _VERSION}
        artifacts[key] = {"artifactType": kind}


def take(task: Json) -> dict[str, str]:
    """Removes these artifacts, unknown to TFX, from a task; returns URIs by key.

    Args:
        task: the ExecutorInput, changed in place.
    """
    outputs = task["outputs"].get("artifacts", {})
    if REPORT_KEY not in outputs:
        return {}
    return {
        key: outputs.pop(key)["artifacts"][0]["uri"]
        for key in OUTPUTS
        if key in outputs
    }


def write(uris: Mapping[str, str], task: Json) -> None:
    """Fills these artifacts from the report that the task has just written.

    Args:
        uris: the result of `take`.
        task: the ExecutorInput as TFX ran it; its output file is added to.
    """
    from tfx.dsl.io import fileio  # Late: importing TFX takes many seconds.

    if not uris:
        return
    (report,) = task["outputs"]["artifacts"][REPORT_KEY]["artifacts"]
    summary = json.loads(_read(os.path.join(report["uri"], "summary.json")))
    found = {METRICS_KEY: metrics(summary), SLICES_KEY: slice_metrics(summary)}
    output_file = task["outputs"]["outputFile"]
    output = json.loads(_read(output_file)) if fileio.exists(output_file) else {}
    for key, uri in uris.items():
        artifact = {"uri": uri, "metadata": found.get(key, {})}
        output.setdefault("artifacts", {})[key] = {"artifacts": [artifact]}
    if PAGE_KEY in uris:
        _write(uris[PAGE_KEY], _read(os.path.join(report["uri"], "index.html")))
    _write(output_file, json.dumps(output))


def metrics(summary: Json) -> dict[str, float]:
    """Returns the figures of a run by name, from its summary.json.

    The figures of popularity and of the latest blessed model, on the same lists, are
    among them.

    Example:
        >>> metrics({"metrics": {"ndcg@10": 0.4}, "baseline": {"ndcg@10": 0.2},
        ...          "blessed": True, "train": {"epochs": 3}})
        {'ndcg@10': 0.4, 'popularity ndcg@10': 0.2, 'blessed': 1.0, 'epochs': 3.0}
    """
    found = dict(summary.get("metrics", {}))
    for name in ("ndcg@10", "hit_rate@10"):
        for whose, figures in (
            ("popularity", summary.get("baseline", {})),
            ("blessed model", summary.get("blessed_model", {})),
        ):
            if name in figures:
                found[f"{whose} {name}"] = figures[name]
    found["blessed"] = summary.get("blessed")
    for name in ("num_users", "num_items", "num_interactions"):
        found[name] = summary.get(name)
    for name in ("epochs", "final_loss", "examples_per_second"):
        found[name] = summary.get("train", {}).get(name)
    return _finite(found)


def slice_metrics(summary: Json) -> dict[str, float]:
    """Returns the figures of each slice, by `metric of slice`.

    Example:
        >>> slice_metrics({"slices": {"activity=low": {"metrics": {"ndcg@10": 0.3}}}})
        {'ndcg@10 of activity=low': 0.3}
    """
    return _finite(
        {
            f"{name} of {group}": value
            for group, figures in summary.get("slices", {}).items()
            for name, value in figures.get("metrics", {}).items()
        }
    )


def _finite(found: Mapping[str, Any]) -> dict[str, float]:
    """Returns the values that are numbers: metadata has no null and no NaN."""
    numbers = {
        name: float(value)
        for name, value in found.items()
        if isinstance(value, int | float)
    }
    return {name: value for name, value in numbers.items() if math.isfinite(value)}


def _read(file: str) -> str:
    from tfx.dsl.io import fileio

    with fileio.open(file) as f:
        return f.read()


def _write(file: str, text: str) -> None:
    from tfx.dsl.io import fileio

    with fileio.open(file, "w") as f:
        f.write(text)
