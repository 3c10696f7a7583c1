"""Pushes to the folder, then to the endpoint or the registry."""

from typing import Any

from tfx import types
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.pusher import driver
from components.pusher import executor as folder_executor
from components.vertex_pusher import deployment, registry
from components.vertex_pusher.config import PusherConfig
from ncf_model.serving import versions

CONFIG_KEY = "vertex_endpoint"
MODEL_PROPERTY = "vertex_model"


class Executor(folder_executor.Executor):
    """Pushes to the folder, then to the endpoint or the registry."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Deploys or registers what was pushed; what was not blessed is neither.

        A version is deployed or registered once: one that was by an earlier run, and
        may have been taken from there since, is left as it is.
        """
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        serving = driver.serving_folder(exec_properties)
        version = int(pushed.get_string_custom_property("pushed_version"))
        newest = versions.newest(serving)
        before = newest.record.get(MODEL_PROPERTY) if newest else None
        if before:
            pushed.set_string_custom_property(MODEL_PROPERTY, before)
            return
        text = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
        settings = json_utils.loads(text)[CONFIG_KEY]
        chosen = PusherConfig.model_validate(settings["pusher"])
        options = {
            "version": str(version),
            "project": settings["project"],
            "region": settings["region"],
            "settings": chosen,
        }
        uri = pushed.get_string_custom_property("pushed_destination")
        if chosen.platform == "registry":
            record = versions.records(serving).get(version, {})
            model = registry.register(uri, record=record, **options)
        else:
            model = deployment.deploy(uri, **options)
        versions.annotate(serving, version, **{MODEL_PROPERTY: model})
        pushed.set_string_custom_property(MODEL_PROPERTY, model)
