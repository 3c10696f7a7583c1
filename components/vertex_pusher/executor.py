"""Pushes to the folder, then to the endpoint."""

from typing import Any

from tfx import types
from tfx.components.pusher import executor as tfx_executor
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.vertex_pusher import deployment
from components.vertex_pusher.config import PusherConfig

CONFIG_KEY = "vertex_endpoint"


class Executor(tfx_executor.Executor):
    """Pushes to the folder, then to the endpoint."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Deploys what was pushed; what was not blessed is neither."""
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        text = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
        settings = json_utils.loads(text)[CONFIG_KEY]
        model = deployment.deploy(
            pushed.get_string_custom_property("pushed_destination"),
            version=pushed.get_string_custom_property("pushed_version"),
            project=settings["project"],
            region=settings["region"],
            settings=PusherConfig.model_validate(settings["pusher"]),
        )
        pushed.set_string_custom_property("vertex_model", model)
