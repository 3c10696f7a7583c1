"""A Pusher that also tells another service of what it pushed, once per version."""

import abc
from collections.abc import Mapping
from typing import Any

from tfx import types
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.pusher import driver, executor
from ncf_model.serving import versions


class Executor(executor.Executor, abc.ABC):
    """Pushes to the folder, then tells a service.

    Attributes:
        MODEL_PROPERTY: of the pushed model and of its version's record: the name that
            the service gave it.
    """

    MODEL_PROPERTY: str

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Tells of what was pushed; of what was not blessed it tells nothing.

        A service is told of a version once: what it was told by an earlier run, and
        may have been changed there since, is left as it is.
        """
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        serving = driver.serving_folder(exec_properties)
        version = int(pushed.get_string_custom_property("pushed_version"))
        record = versions.records(serving).get(version, {})
        model = record.get(self.MODEL_PROPERTY)
        if not model:
            text = exec_properties[standard_component_specs.CUSTOM_CONFIG_KEY]
            model = self.announce(
                pushed.get_string_custom_property("pushed_destination"),
                version=str(version),
                record=record,
                config=json_utils.loads(text),
            )
            versions.annotate(serving, version, **{self.MODEL_PROPERTY: model})
        pushed.set_string_custom_property(self.MODEL_PROPERTY, model)

    @abc.abstractmethod
    def announce(
        self, uri: str, *, version: str, record: Mapping[str, Any], config: Any
    ) -> str:
        """Tells the service; returns the name that it gave the model.

        Args:
            uri: folder of the SavedModel.
            version: its number in the serving folder.
            record: what was noted when it was pushed.
            config: Pusher's `custom_config`.
        """
