"""Reads a pipeline compiled for Vertex AI: one JSON file with a PipelineJob."""

import json
import pathlib
from typing import Any


def read(file: pathlib.Path) -> dict[str, Any]:
    """Returns the PipelineJob.

    Raises:
        ValueError: the file is no compiled pipeline.
    """
    advice = (
        f"Make one: ncf compile vertex -o {file} --root gs://BUCKET/runs --serving "
        "gs://BUCKET/serving --image NAME@sha256:..."
    )
    if file.is_dir() or not file.exists():
        raise ValueError(f"No compiled pipeline {file}. {advice}")
    try:
        job = json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{file} is not JSON ({error}). {advice}") from None
    if not isinstance(job, dict) or not {"pipelineSpec", "runtimeConfig"} <= job.keys():
        raise ValueError(
            f"{file} must hold a PipelineJob; it has no `pipelineSpec` and "
            f"`runtimeConfig`. {advice}"
        )
    return job
