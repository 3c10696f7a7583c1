"""TFX's driver of a file-based ExampleGen, with a fingerprint of the content.

Where the pattern has marks, TFX's own driver fills in one span. This driver reads
several spans: it replaces the pattern by the list of their files.
"""

from collections.abc import Iterable
from typing import Any

from tfx.components.example_gen import driver, input_processor, utils
from tfx.orchestration import data_types
from tfx.proto import example_gen_pb2, range_config_pb2
from tfx.types import standard_component_specs
from tfx.utils import proto_utils

from components.interactions_example_gen import (
    content,
    executor,
    files,
    span_marks,
    spans,
)
from components.interactions_example_gen.config import SpansConfig

_CONFIG = standard_component_specs.CUSTOM_CONFIG_KEY


class SpansProcessor(input_processor.FileBasedInputProcessor):
    """Finds a window of spans, where TFX takes only the newest span."""

    def __init__(
        self,
        base: str,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None,
        custom_config: str,
    ) -> None:
        """Checks the patterns as TFX does.

        Args:
            base: the folder.
            splits: one split, whose pattern has marks.
            range_config: the newest span that counts, as a static range.
            custom_config: the node's `custom_config`, which has the settings.
        """
        super().__init__(base, splits, range_config)
        self._base, self._custom = base, custom_config
        settings = executor.unpack_extra(custom_config).get(executor.SPANS, {})
        newest = None
        if range_config is not None and range_config.HasField("static_range"):
            newest = range_config.static_range.end_span_number
        (split,) = splits
        self.window = spans.window(
            base,
            split.pattern,
            SpansConfig.model_validate(settings),
            executor.unpack_config(custom_config),
            newest=newest,
        )

    def resolve_span_and_version(self) -> tuple[int, int | None]:
        """Returns the number and the version of the newest span."""
        return self.window.spans[-1].number, self.window.spans[-1].version

    def get_pattern_for_span_version(
        self, pattern: str, span: int, version: int | None
    ) -> str:
        """Returns the list of files as a pattern of `files.find`."""
        return self.window.pattern(self._base)

    def get_input_fingerprint(self, span: int, version: int | None) -> str:
        """Returns the fingerprint of all files."""
        return content.fingerprint(self.window.paths)

    def noted(self) -> str:
        """Returns the node's settings, and the spans that were found with them."""
        extra = executor.unpack_extra(self._custom)
        extra[executor.WINDOW] = self.window.note()
        if extra.get(executor.DRIFT):
            extra[executor.DELIVERIES] = self.window.deliveries()
        config = executor.unpack_config(self._custom)
        return str(proto_utils.proto_to_json(executor.pack_config(config, extra)))


class Driver(driver.FileBasedDriver):
    """Decides by the content of files whether an earlier result can be used again.

    TFX's own fingerprint knows only sizes and times of modification. It misses changed
    data of the same size and time, as `cp -p` and rsync write them, and discards
    results if only a time has changed.
    """

    def resolve_exec_properties(
        self,
        exec_properties: dict[str, Any],
        pipeline_info: data_types.PipelineInfo,
        component_info: data_types.ComponentInfo,
    ) -> dict[str, Any]:
        """Returns the properties with span, version and fingerprint."""
        self._custom = exec_properties[_CONFIG]
        self._spans: SpansProcessor | None = None
        found = super().resolve_exec_properties(
            exec_properties, pipeline_info, component_info
        )
        if self._spans is not None:
            found[_CONFIG] = self._spans.noted()
            return found
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

    def get_input_processor(
        self,
        splits: Iterable[example_gen_pb2.Input.Split],
        range_config: range_config_pb2.RangeConfig | None = None,
        input_base_uri: str | None = None,
    ) -> input_processor.InputProcessor:
        """Returns a `SpansProcessor` where a pattern has marks, otherwise TFX's."""
        if not any(span_marks.has_marks(split.pattern) for split in splits):
            return super().get_input_processor(splits, range_config, input_base_uri)
        self._spans = SpansProcessor(
            str(input_base_uri), splits, range_config, self._custom
        )
        return self._spans
