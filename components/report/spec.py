"""The contract of Report: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

INTERACTIONS_KEY = "interactions"
LISTS_KEY = "lists"
CONTEXT_KEY = "context"
MODEL_KEY = "model"
MODEL_RUN_KEY = "model_run"
EVALUATION_KEY = "evaluation"
BLESSING_KEY = "blessing"
PUSHED_MODEL_KEY = "pushed_model"
SERVED_KEY = "served"
DATASET_KEY = "dataset"
CONFIG_KEY = "config"
REPORT_KEY = "report"


class RunReport(types.Artifact):
    """A folder with `index.html` and `summary.json`."""

    TYPE_NAME = "ncf.RunReport"


class ReportSpec(types.ComponentSpec):
    INPUTS = {
        INTERACTIONS_KEY: ChannelParameter(type=standard_artifacts.Examples),
        LISTS_KEY: ChannelParameter(type=standard_artifacts.Examples),
        CONTEXT_KEY: ChannelParameter(type=standard_artifacts.Examples, optional=True),
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        MODEL_RUN_KEY: ChannelParameter(type=standard_artifacts.ModelRun),
        EVALUATION_KEY: ChannelParameter(type=standard_artifacts.ModelEvaluation),
        BLESSING_KEY: ChannelParameter(type=standard_artifacts.ModelBlessing),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
        SERVED_KEY: ChannelParameter(
            type=standard_artifacts.ModelEvaluation, optional=True
        ),
    }
    OUTPUTS = {REPORT_KEY: ChannelParameter(type=RunReport)}
    PARAMETERS = {
        DATASET_KEY: ExecutionParameter(type=str),
        CONFIG_KEY: ExecutionParameter(type=str, optional=True),  # as JSON
    }
