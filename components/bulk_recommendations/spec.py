"""The contract of BulkRecommendations: its inputs, outputs and parameters."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

MODEL_KEY = "model"
PUSHED_MODEL_KEY = "pushed_model"
LISTS_KEY = "lists"
K_KEY = "k"
TITLES_KEY = "titles"
TITLES_DIGEST_KEY = "titles_digest"
# Custom properties of the output `lists`.
ROWS_PROPERTY = "num_rows"
VERSION_PROPERTY = "version"
NOT_WRITTEN_PROPERTY = "not_written_because"


class BulkRecommendationsSpec(types.ComponentSpec):
    INPUTS = {
        MODEL_KEY: ChannelParameter(type=standard_artifacts.Model),
        PUSHED_MODEL_KEY: ChannelParameter(type=standard_artifacts.PushedModel),
    }
    OUTPUTS = {LISTS_KEY: ChannelParameter(type=standard_artifacts.InferenceResult)}
    PARAMETERS = {
        K_KEY: ExecutionParameter(type=int),
        TITLES_KEY: ExecutionParameter(type=str),
        # No code reads this. It changes the key of TFX's cache if the file changes.
        TITLES_DIGEST_KEY: ExecutionParameter(type=str),
    }
