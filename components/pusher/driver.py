"""Adds the state of the serving folder to the key of Pusher's cached results."""

from typing import Any

from tfx.dsl.components.base import base_driver
from tfx.orchestration import metadata
from tfx.orchestration.portable import base_driver as ir_base_driver
from tfx.orchestration.portable import data_types
from tfx.proto import pusher_pb2
from tfx.proto.orchestration import driver_output_pb2
from tfx.types import artifact_utils, standard_component_specs
from tfx.types.standard_artifacts import PushedModel
from tfx.utils import path_utils, proto_utils

from components.pusher import destination

STATE_KEY = "destination_state"
VERSION_PROPERTY = "pushed_version"  # A property that TFX's Pusher writes.


class Driver(base_driver.BaseDriver, ir_base_driver.BaseDriver):
    """Adds the destination's state to the properties, hence to the cache key.

    Only LocalDagRunner runs this driver. Elsewhere Pusher is never cached.
    """

    def __init__(self, handle: metadata.Metadata) -> None:
        # TFX requires the first base of a component's driver, and calls the second.
        base_driver.BaseDriver.__init__(self, handle)
        ir_base_driver.BaseDriver.__init__(self, handle)

    def run(
        self, execution_info: data_types.ExecutionInfo
    ) -> driver_output_pb2.DriverOutput:
        """Returns the property that is added; see `destination.state`."""
        result = driver_output_pb2.DriverOutput()
        state = _state(execution_info, above=self._highest_pushed())
        result.exec_properties[STATE_KEY].string_value = state
        return result

    def _highest_pushed(self) -> int:
        """Returns the highest number of a push in ML Metadata; 0 if there is none.

        New numbers must be higher even if the folder is gone: a number that is used
        again would find the cached result of an earlier push.
        """
        if self._mlmd_connection is None:
            return 0
        with self._mlmd_connection as handle:
            found = handle.store.get_artifacts_by_type(PushedModel.TYPE_NAME)
        numbers = [a.custom_properties[VERSION_PROPERTY].string_value for a in found]
        return max((int(n) for n in numbers if n.isdigit()), default=0)


def _state(execution_info: data_types.ExecutionInfo, *, above: int) -> str:
    inputs = execution_info.input_dict
    blessings = inputs.get(standard_component_specs.MODEL_BLESSING_KEY, ())
    if not any(item.get_int_custom_property("blessed") == 1 for item in blessings):
        return "not blessed"
    models = inputs[standard_component_specs.MODEL_KEY]
    model = artifact_utils.get_single_instance(list(models))
    old = path_utils.is_old_model_artifact(model)
    return destination.state(
        serving_folder(execution_info.exec_properties),
        path_utils.serving_model_path(model.uri, old),
        above=above,
    )


def serving_folder(exec_properties: dict[str, Any]) -> str:
    """Returns the serving folder.

    Raises:
        ValueError: the destination is not a folder.
    """
    push_destination = pusher_pb2.PushDestination()
    text = exec_properties[standard_component_specs.PUSH_DESTINATION_KEY]
    proto_utils.json_to_proto(text, push_destination)
    if push_destination.WhichOneof("destination") != "filesystem":
        raise ValueError(f"`push_destination` must be a `filesystem`; got {text}.")
    return str(push_destination.filesystem.base_directory)
