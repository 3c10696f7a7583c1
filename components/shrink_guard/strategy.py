"""ShrinkGuard for runners whose ML Metadata can be asked: a resolver, never cached."""

from typing import Any

from tfx import types
from tfx.dsl.components.common import resolver

from components.shrink_guard import shrinking

EXAMPLES_KEY = "examples"
BLESSING_KEY = "model_blessing"


class ShrinkGuardStrategy(resolver.ResolverStrategy):
    """Passes the data on, or raises ValueError if too much of them is gone.

    The data are compared with those in the blessing of the model in service, which the
    record of the newest version names, also after a rollback. Where the serving folder
    has no such record, the latest blessing counts.

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
        """Keeps the fraction in [0, 1] that may be gone, and the serving folder."""
        self._most = max_shrink
        self._serving = serving

    def resolve_artifacts(
        self, store: object, input_dict: dict[str, list[types.Artifact]]
    ) -> dict[str, list[types.Artifact]]:
        """Returns the data and the blessing, if there is one.

        Args:
            store: not used.
            input_dict: `examples` of NegativeSampling, and all `model_blessing`s.

        Raises:
            ValueError: too much of the data is gone.
        """
        blessings = [
            blessing
            for blessing in sorted(input_dict[BLESSING_KEY], key=lambda b: b.id)
            if blessing.get_int_custom_property("blessed") == 1
            and blessing.get_int_custom_property(shrinking.COUNTS[0])
        ]
        counts = [_counts(blessing) for blessing in blessings]
        served = shrinking.served(self._serving) if self._serving else None
        if served is not None and served.blessing is not None:
            uri = served.blessing_uri
            blessings = [blessing for blessing in blessings if blessing.uri == uri]
            counts = [served.blessing]
        for examples in input_dict[EXAMPLES_KEY]:
            for before in counts[-1:]:
                shrinking.check(_counts(examples), before, most=self._most)
        return {EXAMPLES_KEY: input_dict[EXAMPLES_KEY], BLESSING_KEY: blessings[-1:]}


def _counts(artifact: types.Artifact) -> dict[str, Any]:
    return {name: artifact.get_int_custom_property(name) for name in shrinking.COUNTS}
