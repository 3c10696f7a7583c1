"""Looks into Pusher's folder, copies the latest version."""

from typing import Any

from absl import logging
from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils
from tfx.utils import io_utils, path_utils

from components.latest_pushed_model import spec
from ncf_model.serving import folders, versions


class Executor(base_executor.BaseExecutor):
    """All input and output; which folder is a version `versions` decides."""

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
        io_utils.copy_dir(version.path, path_utils.serving_model_dir(model.uri))
        model.set_string_custom_property(spec.VERSION_PROPERTY, str(version.number))
        logging.info("The latest pushed model is %s.", version.path)


def latest_other(serving: str, candidate: str) -> versions.Version | None:
    """Returns the newest whole version that is not the candidate.

    Args:
        serving: Pusher's folder; it need not exist.
        candidate: folder of the candidate's SavedModel.
    """
    digest = folders.digest(candidate)
    found = versions.look(serving).versions
    return next((v for v in found if versions.digest_of(v) != digest), None)
