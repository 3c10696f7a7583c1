"""The guard where ML Metadata can be asked: looked up in every run, never cached."""

from tfx import types
from tfx.dsl.components.common import resolver

from components.shrink_guard import shrinking

EXAMPLES_KEY = "examples"
BLESSING_KEY = "model_blessing"


class ShrinkGuardStrategy(resolver.ResolverStrategy):
    """Passes the data on, or raises, by the blessing given last.

    Example:
        guard = resolver.Resolver(
            strategy_class=ShrinkGuardStrategy,
            config={"max_shrink": 0.3},
            examples=sampling.outputs["examples"],
            model_blessing=Channel(type=ModelBlessing),
        ).with_id("ShrinkGuard")
        trainer.add_upstream_node(guard)
    """

    def __init__(self, max_shrink: float) -> None:
        """Sets the share that may be gone, a fraction in [0, 1]."""
        self._most = max_shrink

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns the data and the latest blessing; raises ValueError if too few.

        Args:
            store: not used.
            input_dict: `examples` of NegativeSampling, and all of `model_blessing`.
        """
        blessings = [
            blessing
            for blessing in input_dict[BLESSING_KEY]
            if blessing.get_int_custom_property("blessed") == 1
        ]
        last = sorted(blessings, key=lambda blessing: blessing.id)[-1:]
        for blessing in last:
            for examples in input_dict[EXAMPLES_KEY]:
                shrinking.check(_counts(examples), _counts(blessing), most=self._most)
        return {EXAMPLES_KEY: input_dict[EXAMPLES_KEY], BLESSING_KEY: last}


def _counts(artifact: types.Artifact) -> dict[str, int]:
    return {name: artifact.get_int_custom_property(name) for name in shrinking.COUNTS}
