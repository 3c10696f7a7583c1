"""ShrinkGuard, for runners whose ML Metadata cannot be asked."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec

from components.shrink_guard import executor, spec


class ShrinkGuard(base_component.BaseComponent):
    """Fails if the data have much fewer users or items than the newest version had.

    The node must never be cached, because its result depends on the serving folder.
    """

    SPEC_CLASS = spec.ShrinkGuardSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, *, examples: types.BaseChannel, serving: str, max_shrink: float
    ) -> None:
        """Wires the node.

        Args:
            examples: `Examples` of NegativeSampling, which have the counts.
            serving: the serving folder; a version's record has the counts of its data.
            max_shrink: the share that may be gone, a fraction in [0, 1].
        """
        super().__init__(
            spec=spec.ShrinkGuardSpec(
                examples=examples, serving=serving, max_shrink=float(max_shrink)
            )
        )
