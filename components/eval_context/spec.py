"""The contract of EvalContext: what goes in, what comes out, nothing else."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

LISTS_KEY = "lists"
TRANSFORM_GRAPH_KEY = "transform_graph"
EXAMPLES_KEY = "examples"
BASELINES_KEY = "baselines"
REFIT_KEY = "refit"


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
    }
