"""Evaluates as TFX does, then notes the reasons on the blessing."""

from typing import Any

from absl import logging
from tfx import types
from tfx.components.evaluator import constants
from tfx.components.evaluator import executor as tfx_executor
from tfx.types import artifact_utils
from tfx.types.standard_component_specs import (
    BLESSING_KEY,
    EVAL_CONFIG_KEY,
    EVALUATION_KEY,
    EXAMPLES_KEY,
    MODEL_KEY,
)
from tfx.utils import path_utils

from components.explaining_evaluator import level
from ncf_model import features
from ncf_model.evaluation import evaluation_result
from ncf_model.serving import folders

REASONS_PROPERTY = "not_blessed_because"
DIGEST_PROPERTY = "model_digest"
BASELINE_URI = constants.ARTIFACT_PROPERTY_BASELINE_MODEL_URI_KEY
BASELINE_NAME = "baseline_model_name"
BASELINE_ID = constants.ARTIFACT_PROPERTY_BASELINE_MODEL_ID_KEY


class Executor(tfx_executor.Executor):
    """TFX's executor; afterwards reads its results and notes the reasons."""

    def Do(
        self,
        input_dict: dict[str, list[types.Artifact]],
        output_dict: dict[str, list[types.Artifact]],
        exec_properties: dict[str, Any],
    ) -> None:
        """Writes figures and blessing; notes the level, or the reasons of a refusal."""
        examples = artifact_utils.get_single_instance(input_dict[EXAMPLES_KEY])
        model = artifact_utils.get_single_instance(input_dict[MODEL_KEY])
        digest = folders.digest(path_utils.serving_model_path(model.uri))
        rivals = level.rivals(_texts(examples))
        config = level.without_absent(exec_properties[EVAL_CONFIG_KEY], rivals)
        super().Do(input_dict, output_dict, exec_properties | {EVAL_CONFIG_KEY: config})
        evaluation = artifact_utils.get_single_instance(output_dict[EVALUATION_KEY])
        result = evaluation_result.read_evaluation(evaluation.uri)
        blessing = artifact_utils.get_single_instance(output_dict[BLESSING_KEY])
        _note_data(blessing, examples)
        blessing.set_string_custom_property(DIGEST_PROPERTY, digest)
        if latest := rivals.get(features.LATEST_BLESSED):
            # TFX notes its own baseline in this way, so that others find it.
            blessing.set_string_custom_property(BASELINE_URI, latest["uri"])
            if isinstance(latest["id"], int):
                blessing.set_int_custom_property(BASELINE_ID, latest["id"])
            else:  # On a cluster this is a name, which TFX would take for a number.
                blessing.set_string_custom_property(BASELINE_NAME, latest["id"])
        if result.blessed:
            height = level.of_candidate(result.comparisons, rivals)
            blessing.set_string_custom_property(level.PROPERTY, repr(height))
            return
        reasons = "\n".join(failure.message for failure in result.failures)
        blessing.set_string_custom_property(REASONS_PROPERTY, reasons)
        logging.info("Not blessed: %s", reasons)


def _note_data(blessing: types.Artifact, examples: types.Artifact) -> None:
    """Notes what the model was evaluated on: data, candidates, older models."""
    for name in ("num_users", "num_items"):
        blessing.set_int_custom_property(name, examples.get_int_custom_property(name))
    names = ("candidates", "catalogue_digest", features.NOT_COMPARED_PROPERTY)
    for name in (*names, *features.RIVALS):
        text = examples.get_string_custom_property(name)
        if text:
            blessing.set_string_custom_property(name, text)


def _texts(artifact: types.Artifact) -> dict[str, str]:
    return {name: artifact.get_string_custom_property(name) for name in features.RIVALS}
