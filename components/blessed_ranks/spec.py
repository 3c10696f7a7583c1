"""The contract of BlessedRanks: its inputs and outputs."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

from ncf_model import features

LISTS_KEY = "lists"
TRANSFORM_GRAPH_KEY = "transform_graph"
LATEST_MODEL_KEY = "baseline_model"
BEST_MODEL_KEY = "best_model"
LATEST_BLESSING_KEY = "latest_blessing"
BEST_BLESSING_KEY = "best_blessing"
EXAMPLES_KEY = "examples"

# Name of a kind of model in the lists -> input keys of the models and the blessings.
KEYS = {
    features.LATEST_BLESSED: (LATEST_MODEL_KEY, LATEST_BLESSING_KEY),
    features.BEST_BLESSED: (BEST_MODEL_KEY, BEST_BLESSING_KEY),
}
# Custom properties of the output: which candidates were ranked, by which models.
CANDIDATES_PROPERTY = "candidates"
CATALOGUE_PROPERTY = "catalogue_digest"


class BlessedRanksSpec(types.ComponentSpec):
    """Artifacts of BlessedRanks; it has no parameters of its own."""

    INPUTS = {
        LISTS_KEY: ChannelParameter(type=standard_artifacts.Examples),
        TRANSFORM_GRAPH_KEY: ChannelParameter(type=standard_artifacts.TransformGraph),
        LATEST_MODEL_KEY: ChannelParameter(
            type=standard_artifacts.Model, optional=True
        ),
        BEST_MODEL_KEY: ChannelParameter(type=standard_artifacts.Model, optional=True),
        LATEST_BLESSING_KEY: ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
        BEST_BLESSING_KEY: ChannelParameter(
            type=standard_artifacts.ModelBlessing, optional=True
        ),
    }
    OUTPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}
    PARAMETERS: dict[str, ExecutionParameter] = {}
