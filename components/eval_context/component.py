"""EvalContext: adds baselines and slices to the evaluation lists."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.eval_context import executor, spec
from components.eval_context.config import BaselinesConfig


class EvalContext(base_component.BaseComponent):
    """Writes the split `eval` again, with baselines and slices beside each list.

    Outputs:
        examples: `Examples` with the one split `eval`: every feature of the input, the
            score of each candidate by each baseline, and the slices of the list. Custom
            properties tell the baselines' settings, and why a baseline was left out.
    """

    SPEC_CLASS = spec.EvalContextSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        lists: types.BaseChannel,
        transform_graph: types.BaseChannel,
        baselines: BaselinesConfig,
        refit: bool,
        places: int,
        order: bool = False,
    ) -> None:
        """Wires the component.

        Args:
            lists: `Examples` of NegativeSampling. Baselines learn from the split
                `train`; their settings are chosen on the split `validation`.
            transform_graph: `TransformGraph` of the same run, for its vocabularies.
            baselines: which to compute, and how.
            refit: whether the model trains on the validation items too; if so, the
                baselines do, too.
            places: how many of a baseline's first items count for coverage, where the
                whole catalogue is ranked.
            order: whether the model knows the order of a user's items; if so, item-kNN
                and EASE know it, too.
        """
        super().__init__(
            spec=spec.EvalContextSpec(
                lists=lists,
                transform_graph=transform_graph,
                baselines=baselines.model_dump_json(),
                refit=int(refit),
                places=places,
                order=1 if order else None,
                examples=types.Channel(type=standard_artifacts.Examples),
            )
        )
