"""BlessedRanks: adds the ranks of models blessed before to the evaluation lists."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.blessed_ranks import executor, spec


class BlessedRanks(base_component.BaseComponent):
    """Writes the split `eval` again, with the ranks of models blessed before.

    TFX's Evaluator compares with one model, and lets each model rank the items that it
    knows itself. Here each older model ranks the very candidates that the new one
    ranks: those of the list or, where the whole catalogue is ranked, all items of the
    data. A model that does not know an item scores the average item in its place.

    Outputs:
        examples: `Examples` with the one split `eval`: every feature of the input, and
            `latest_blessed_rank` and `best_blessed_rank` where there is such a model.
            Its custom properties say which models and which candidates these were.
    """

    SPEC_CLASS = spec.BlessedRanksSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        lists: types.BaseChannel,
        transform_graph: types.BaseChannel,
        baseline_model: types.BaseChannel,
        best_model: types.BaseChannel,
        latest_blessing: types.BaseChannel | None = None,
        best_blessing: types.BaseChannel | None = None,
    ) -> None:
        """Wires the component.

        Args:
            lists: `Examples` of EvalContext.
            transform_graph: `TransformGraph` of the same run, whose items are the
                catalogue.
            baseline_model: the `Model` blessed last; may be empty.
            best_model: other `Model`s that were blessed, the highest level first. The
                best of them on these lists is compared, if it is better than the last.
            latest_blessing: the `ModelBlessing` of `baseline_model`, which has the
                model's level. Without it, a property of the model has the level.
            best_blessing: the `ModelBlessing`s of `best_model`, in any order.
        """
        super().__init__(
            spec=spec.BlessedRanksSpec(
                lists=lists,
                transform_graph=transform_graph,
                baseline_model=baseline_model,
                best_model=best_model,
                latest_blessing=latest_blessing,
                best_blessing=best_blessing,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
