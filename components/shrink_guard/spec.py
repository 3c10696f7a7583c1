"""The contract of ShrinkGuard: its inputs and parameters; it has no outputs."""

from tfx import types
from tfx.types import standard_artifacts
from tfx.types.component_spec import ChannelParameter, ExecutionParameter

EXAMPLES_KEY = "examples"
SERVING_KEY = "serving"
MAX_SHRINK_KEY = "max_shrink"


class ShrinkGuardSpec(types.ComponentSpec):
    """Artifacts and parameters of ShrinkGuard."""

    INPUTS = {EXAMPLES_KEY: ChannelParameter(type=standard_artifacts.Examples)}
    OUTPUTS: dict[str, ChannelParameter] = {}
    PARAMETERS = {
        SERVING_KEY: ExecutionParameter(type=str),
        MAX_SHRINK_KEY: ExecutionParameter(type=float),
    }
