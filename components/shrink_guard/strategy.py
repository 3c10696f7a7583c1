"""The guard where ML Metadata can be asked: looked up in every run, never cached."""

from typing import Any

from tfx import types
from tfx.dsl.components.common import resolver

from components.shrink_guard import shrinking
from ncf_model.serving import versions

EXAMPLES_KEY = "examples"
BLESSING_KEY = "model_blessing"


class ShrinkGuardStrategy(resolver.ResolverStrategy):
    """Passes the data on, or raises, by the blessing of the model in service.

    That is the one in the record of the newest version, also after a rollback. Where
    the serving folder has no such record, the blessing given last counts.

    Example:
        guard = resolver.Resolver(
            strategy_class=ShrinkGuardStrategy,
            config={"max_shrink": 0.3, "serving": "/out/serving"},
            examples=sampling.outputs["examples"],
            model_blessing=Channel(type=ModelBlessing),
        ).with_id("ShrinkGuard")
        trainer.add_upstream_node(guard)
    """

    def __init__(self, max_shrink: float, serving: str = "") -> None:
        """Sets the share that may be gone, in [0, 1], and where to look."""
        self._most = max_shrink
        self._serving = serving

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns the data and that blessing, if it is known; raises ValueError.

        Args:
            store: not used.
            input_dict: `examples` of NegativeSampling, and all of `model_blessing`.
        """
        blessings = [
            blessing
            for blessing in sorted(input_dict[BLESSING_KEY], key=lambda b: b.id)
            if blessing.get_int_custom_property("blessed") == 1
        ]
        counts = [_counts(blessing) for blessing in blessings]
        newest = versions.newest(self._serving) if self._serving else None
        if newest is not None and "blessing" in newest.record:
            uri = newest.record.get("blessing_uri")
            blessings = [blessing for blessing in blessings if blessing.uri == uri]
            counts = [newest.record["blessing"]]
        for examples in input_dict[EXAMPLES_KEY]:
            for before in counts[-1:]:
                shrinking.check(_counts(examples), before, most=self._most)
        return {EXAMPLES_KEY: input_dict[EXAMPLES_KEY], BLESSING_KEY: blessings[-1:]}


def _counts(artifact: types.Artifact) -> dict[str, Any]:
    return {name: artifact.get_int_custom_property(name) for name in shrinking.COUNTS}
