"""Makes what TFX reports of a task into what Kubeflow's launcher reads."""

import json
import pathlib
from typing import Any

from pipeline.kfp import local_copies


def publish(file: pathlib.Path) -> None:
    """Rewrites an ExecutorOutput: remote URIs, and no null in the metadata.

    The launcher parses strictly and fails a task whose outputs lie outside the run's
    root in the object store, as a local path does.

    Args:
        file: written by TFX; it may be absent, if the task has no outputs.
    """
    if not file.exists():
        return
    output = local_copies.to_remote(json.loads(file.read_text(encoding="utf-8")))
    for artifacts in output.get("artifacts", {}).values():
        for artifact in artifacts.get("artifacts", []):
            _drop_nulls(artifact.get("metadata", {}))
    file.write_text(json.dumps(output), encoding="utf-8")


def _drop_nulls(metadata: dict[str, Any]) -> None:
    for name in [name for name, value in metadata.items() if value is None]:
        del metadata[name]
