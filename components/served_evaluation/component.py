"""ServedEvaluation: evaluates the model in service on what came after its training."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.served_evaluation import executor, spec


class ServedEvaluation(base_component.BaseComponent):
    """Measures how the served model has decayed, before a new one is trained.

    Example:
        served = ServedEvaluation(
            interactions=example_gen.outputs["examples"],
            model=resolver.outputs["model"],
            seed=7,
        )

    Outputs:
        evaluation: `ModelEvaluation`, a folder with `since.json`.
    """

    SPEC_CLASS = spec.ServedEvaluationSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        interactions: types.BaseChannel,
        model: types.BaseChannel | None = None,
        serving: str = "",
        seed: int,
    ) -> None:
        """Wires the node.

        Args:
            interactions: `Examples` of InteractionsExampleGen.
            model: the `Model` in service; may be empty.
            serving: the serving folder, whose newest version is the model in service.
                It is used where `model` is not given.
            seed: of the draw of the other items in each list.
        """
        super().__init__(
            spec=spec.ServedEvaluationSpec(
                interactions=interactions,
                model=model,
                serving=serving,
                seed=seed,
                evaluation=types.Channel(type=standard_artifacts.ModelEvaluation),
            )
        )
