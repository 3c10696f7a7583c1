"""The contract of ExportCheck: its inputs and outputs."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

MODEL_KEY = "model"
MODEL_RUN_KEY = "model_run"
CHECK_KEY = "check"
CHECK_FILE = "check.json"


class ExportCheckSpec(types.ComponentSpec):
    INPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        MODEL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
    }
    OUTPUTS = {CHECK_KEY: ChannelParameter(type=standard_artifacts.InfraBlessing)}
    PARAMETERS: dict[str, ExecutionParameter] = {}
