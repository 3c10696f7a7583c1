"""BlessedRanks: the ranks of models blessed before, in a new model's own lists."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.blessed_ranks import executor, spec


class BlessedRanks(base_component.BaseComponent):
    """Writes the split `eval` again, with the ranks of models blessed before.

    TFX's Evaluator compares with one model, and lets each rank what it knows itself.
    Here each ranks the very candidates that the new one does: those of the list or,
    where the whole catalogue is ranked, all items of the data. To a model that does not
    know an item it is the average item.

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
            transform_graph: `TransformGraph` of the same run: its items are the
                catalogue.
            baseline_model: `Model` blessed last; may be empty.
            best_model: others that were blessed, the highest level first; the best of
                them on these lists counts, if it is better than the last.
            latest_blessing: `ModelBlessing` of the former, where it can be had; it has
                the model's level. Else the model's own property does.
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
