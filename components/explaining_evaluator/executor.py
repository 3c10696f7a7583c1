"""Evaluates as TFX does, then puts the reasons on the blessing."""

from typing import Any

from absl import logging
from tfx import types
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import BLESSING_KEY, EVALUATION_KEY

from ncf_model.evaluation import evaluation_result

REASONS_PROPERTY = "not_blessed_because"


class Executor(tfx_executor.Executor):
    """TFX's executor, followed by a look at what it wrote."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes figures and verdict, and notes the reasons of a refusal."""
        super().Do(input_dict, output_dict, exec_properties)
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        result = evaluation_result.read_evaluation(evaluation.uri)
        if result["blessed"]:
            return
        reasons = "\n".join(failure["message"] for failure in result["failures"])
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        blessing.set_string_custom_property(REASONS_PROPERTY, reasons)
        logging.info("Not blessed: %s", reasons)
