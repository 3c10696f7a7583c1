"""The contract of EvalContext: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

LISTS_KEY = "lists"
TRANSFORM_GRAPH_KEY = "transform_graph"
EXAMPLES_KEY = "examples"
BASELINES_KEY = "baselines"
REFIT_KEY = "refit"
PLACES_KEY = "places"
ORDER_KEY = "order"

# Custom properties of the output; their values are JSON.
SETTINGS = "baseline_settings"  # settings chosen and tried, by baseline
LEFT_OUT = "baselines_left_out"  # why a baseline has no figures, by its name


class EvalContextSpec(types.ComponentSpec):
    """Artifacts and parameters of EvalContext."""

    INPUTS = {
        LISTS_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}
    PARAMETERS = {
        BASELINES_KEY: ExecutionParameter(type=str),  # as JSON
        REFIT_KEY: ExecutionParameter(type=int),  # 1 or 0
        PLACES_KEY: ExecutionParameter(type=int),
        ORDER_KEY: ExecutionParameter(type=int, optional=True),  # 1 or none
    }
