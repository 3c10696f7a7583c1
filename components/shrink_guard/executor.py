"""Compares the data with the record of the newest version."""

from typing import Any

from tfx import types
from tfx.dsl.components.base import base_executor
from tfx.types import artifact_utils

from components.shrink_guard import shrinking, spec


class Executor(base_executor.BaseExecutor):
    """Reads the counts; `shrinking` compares them."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Raises ValueError if too much of the data is gone."""
        examples = artifact_utils.get_single_instance(input_dict[spec.EXAMPLES_KEY])
        now = {
            name: examples.get_int_custom_property(name) for name in shrinking.COUNTS
        }
        shrinking.check(
            now,
            shrinking.served(exec_properties[spec.SERVING_KEY]).blessing or {},
            most=float(exec_properties[spec.MAX_SHRINK_KEY]),
        )
