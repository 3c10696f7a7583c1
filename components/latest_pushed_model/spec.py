"""The contract of LatestPushedModel: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from ncf_model import features

CANDIDATE_KEY = "candidate"
SERVING_KEY = "serving"
MODEL_KEY = "model"
BEST_MODEL_KEY = "best_model"
MODEL_KEYS = (MODEL_KEY, BEST_MODEL_KEY)
VERSION_PROPERTY = features.VERSION_PROPERTY
LEVEL_PROPERTY = "level"


class LatestPushedModelSpec(types.ComponentSpec):
    INPUTS = {CANDIDATE_KEY: ChannelParameter(type=standard_artifacts.Model)}
    OUTPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        BEST_MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
    }
    PARAMETERS = {SERVING_KEY: ExecutionParameter(type=str)}
