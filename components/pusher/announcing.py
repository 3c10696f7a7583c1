"""A Pusher that also tells a service of each pushed version, once."""

import abc
from typing import Any

from tfx import types
from tfx.types import artifact_utils, standard_component_specs
from tfx.utils import json_utils

from components.pusher import driver, executor
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord


class Executor(executor.Executor, abc.ABC):
    """Pushes to the folder, then tells a service.

    Attributes:
        MODEL_PROPERTY: the key, in the properties of the pushed model and in its
            version's record, of the name that the service gave to the model.
    """

    MODEL_PROPERTY: str

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Pushes a blessed model, and tells the service of the new version.

        The service is told of a version once. An entry from an earlier run, which may
        have been changed in the service since, is left as it is.
        """
        super().Do(input_dict, output_dict, exec_properties)
        pushed = artifact_utils.get_single_instance(
            output_dict[standard_component_specs.PUSHED_MODEL_KEY]
        )
        if not pushed.get_int_custom_property("pushed"):
            return
        serving = driver.serving_folder(exec_properties)
        version = int(pushed.get_string_custom_property("pushed_version"))
        record = versions.records(serving).get(version, VersionRecord())
        model = getattr(record, self.MODEL_PROPERTY)
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
        self, uri: str, *, version: str, record: VersionRecord, config: Any
    ) -> str:
        """Tells the service of a version; returns the name that the service gave.

        Args:
            uri: folder of the SavedModel.
            version: the version's number in the serving folder.
            record: of the version in the serving folder.
            config: Pusher's `custom_config`.
        """
