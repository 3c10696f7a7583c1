"""The contract of ServedEvaluation: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

INTERACTIONS_KEY = "interactions"
MODEL_KEY = "model"
EVALUATION_KEY = "evaluation"
SERVING_KEY = "serving"
SEED_KEY = "seed"
# The file in the folder of `evaluation`.
FILE = "since.json"


class ServedEvaluationSpec(types.ComponentSpec):
    INPUTS = {
        INTERACTIONS_KEY: ChannelParameter(type=standard_artifacts.Examples),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
    }
    OUTPUTS = {
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation)
    }
    PARAMETERS = {
        SERVING_KEY: ExecutionParameter(type=str),
        SEED_KEY: ExecutionParameter(type=int),
    }
