"""Looks into Pusher's folder, copies the latest version."""

import os
from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.dsl.io import fileio
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.latest_pushed_model import spec, versions


class Executor(base_executor.BaseExecutor):
    """All input and output; which folder is a version is decided in `versions`."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Copies the latest pushed model; leaves the output empty if there is none."""
        candidate = artifact_utils.get_single_instance(input_dict[spec.CANDIDATE_KEY])
        model = artifact_utils.get_single_instance(output_dict[spec.MODEL_KEY])
        serving = exec_properties[spec.SERVING_KEY]

        version = latest_other(serving, path_utils.serving_model_path(candidate.uri))
        if version is None:
            logging.info("No other model was pushed to %s yet.", serving)
            return
        source = os.path.join(serving, version)
        io_utils.copy_dir(source, path_utils.serving_model_dir(model.uri))
        model.set_string_custom_property(spec.VERSION_PROPERTY, version)
        logging.info("The latest pushed model is %s.", source)


def latest_other(serving: str, candidate: str) -> str | None:
    """Returns the number of the latest complete version that is not the candidate.

    Args:
        serving: Pusher's folder; it need not exist.
        candidate: folder of the candidate's SavedModel.
    """
    if not fileio.exists(serving):
        return None
    marks = versions.marks(candidate, _read)
    for version in versions.newest_first(fileio.listdir(serving)):
        folder = os.path.join(serving, version)
        if not fileio.exists(os.path.join(folder, versions.MODEL_FILE)):
            continue  # Pusher is still copying it, or was stopped.
        if versions.marks(folder, _read) != marks:
            return version
    return None


def _read(path: str) -> bytes | None:
    if not fileio.exists(path):
        return None
    with fileio.open(path, "rb") as f:
        return f.read()
