"""Turns the ExecutorOutput of TFX into one that Kubeflow's launcher reads."""

import json
from collections.abc import Mapping
from typing import Any

from tfx.dsl.io import fileio

from pipeline.cluster import artifact_names, local_copies


def publish(file: str, known: Mapping[int, str] | None = None) -> None:
    """Rewrites an ExecutorOutput with remote URIs and without null in the metadata.

    The launcher parses strictly. It fails a task whose outputs are outside the run's
    root in the object store, and local paths are outside.

    Args:
        file: the file that TFX wrote; it is absent if the task has no outputs.
        known: names of the task's inputs, the result of `artifact_names.names`.
    """
    if not fileio.exists(file):
        return
    with fileio.open(file) as f:
        output = local_copies.to_remote(json.loads(f.read()))
    artifact_names.restore(output, dict(known or {}))
    for artifacts in output.get("artifacts", {}).values():
        for artifact in artifacts.get("artifacts", []):
            _drop_nulls(artifact.get("metadata", {}))
    with fileio.open(file, "w") as f:
        f.write(json.dumps(output))


def _drop_nulls(metadata: dict[str, Any]) -> None:
    for name in [name for name, value in metadata.items() if value is None]:
        del metadata[name]
