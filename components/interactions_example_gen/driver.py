"""TFX's driver of a file-based ExampleGen, with a fingerprint of the content."""

from typing import Any

from tfx.components.example_gen import driver, utils
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.interactions_example_gen import content, files


class Driver(driver.FileBasedDriver):
    """Notices changed data of the same size and time, as `cp -p` and rsync leave it.

    TFX's own fingerprint knows sizes and times of modification alone. This one also
    lets a result be used again if only the time has changed.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Returns the properties with span, version and fingerprint."""
        found = super().resolve_exec_properties(
            exec_properties, pipeline_info, component_info
        )
        config = example_gen_pb2.Input()
        proto_utils.json_to_proto(
            found[standard_component_specs.INPUT_CONFIG_KEY], config
        )
        base = found[standard_component_specs.INPUT_BASE_KEY]
        paths = [
            path for split in config.splits for path in files.find(base, split.pattern)
        ]
        found[utils.FINGERPRINT_PROPERTY_NAME] = content.fingerprint(paths)
        return found
