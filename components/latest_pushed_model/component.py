"""LatestPushedModel: finds the pushed models that a new model is compared with."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.latest_pushed_model import executor, spec


class LatestPushedModel(base_component.BaseComponent):
    """Copies the model pushed last, and the best one pushed, into its outputs.

    This component takes the place of a Resolver on runners whose metadata store cannot
    be asked, such as Kubeflow Pipelines. Only blessed models are pushed, so the model
    pushed last is the latest blessed one. The component must never be cached: a cached
    answer would name an older model.

    Example:
        baseline = LatestPushedModel(
            candidate=trainer.outputs["model"], serving="gs://bucket/serving"
        )
        ranks = BlessedRanks(
            ...,
            baseline_model=baseline.outputs["model"],
            best_model=baseline.outputs["best_model"],
        )

    Outputs:
        model: `Model`; empty if nothing was pushed before. Its custom property
            `pushed_version` is the version's number.
        best_model: `Model`, the other version with the highest level; empty if there is
            none. The custom property `more_best` has path and level of the versions
            with the next levels, as JSON: where data change, BlessedRanks finds the
            best of all these on the lists of the run.
    """

    SPEC_CLASS = spec.LatestPushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, *, candidate: types.BaseChannel, serving: str) -> None:
        """Wires the node.

        Args:
            candidate: `Model` channel, the new model. A pushed copy of it, from an
                earlier identical run, is left out. Because the component waits for the
                candidate, it looks into the folder late.
            serving: the serving folder, with one numbered folder per version: a local
                path, such as that of a mounted volume, or a gs:// URI.
        """
        super().__init__(
            spec=spec.LatestPushedModelSpec(
                candidate=candidate,
                serving=serving,
                model=types.Channel(type=standard_artifacts.Model),
                best_model=types.Channel(type=standard_artifacts.Model),
            )
        )
