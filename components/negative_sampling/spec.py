"""The contract of NegativeSampling: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

TRANSFORMED_EXAMPLES_KEY = "transformed_examples"
TRANSFORM_GRAPH_KEY = "transform_graph"
EXAMPLES_KEY = "examples"
SAMPLING_KEY = "sampling"
EPOCHS_KEY = "epochs"
REFIT_KEY = "refit"
SEED_KEY = "seed"

# A file beside the splits, with the contents of the artifact's custom properties.
SUMMARY_FILE = "sampling.json"


class NegativeSamplingSpec(types.ComponentSpec):
    """Artifacts and parameters of NegativeSampling."""

    INPUTS = {
        TRANSFORMED_EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
    }
    OUTPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}
    PARAMETERS = {
        SAMPLING_KEY: ExecutionParameter(type=str),  # SamplingConfig as JSON
        EPOCHS_KEY: ExecutionParameter(type=int),
        REFIT_KEY: ExecutionParameter(type=int),  # 1 or 0
        SEED_KEY: ExecutionParameter(type=int),
    }
