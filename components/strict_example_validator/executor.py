"""Validates as TFX does, and raises ValueError if there is an anomaly."""

import os
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import types
from tfx.components.example_validator import executor as tfx_executor
from tfx.dsl.io import fileio
from tfx.proto.orchestration import execution_result_pb2
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import ANOMALIES_KEY

from components.strict_example_validator import message


class Executor(tfx_executor.Executor):
    """TFX's executor; afterwards reads the anomalies that it wrote."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> execution_result_pb2.ExecutorOutput:
        """Writes the anomalies of every split.

        Raises:
            ValueError: there is an anomaly; the message names split, feature and
                reason.
        """
        result = super().Do(input_dict, output_dict, exec_properties)
        artifact = artifact_utils.get_single_instance(output_dict[ANOMALIES_KEY])
        problems = []
        for split in artifact_utils.decode_split_names(artifact.split_names):
            file = os.path.join(
                artifact_utils.get_split_uri([artifact], split),
                tfx_executor.DEFAULT_FILE_NAME,
            )
            with fileio.open(file, "rb") as f:
                anomalies = anomalies_pb2.Anomalies.FromString(f.read())
            problems += message.describe(split, anomalies)
        if problems:
            raise ValueError(message.refusal(problems))
        return result
