"""LatestPushedModel: finds the models that a new one has to measure up to."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.latest_pushed_model import executor, spec


class LatestPushedModel(base_component.BaseComponent):
    """Copies the model pushed last, and the best one pushed, into its outputs.

    Takes the place of a Resolver on runners whose metadata store cannot be asked, such
    as Kubeflow Pipelines. Only blessed models are pushed, so the one pushed last is the
    latest blessed. It must never be cached: a cached answer names an older model.

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
        best_model: `Model`, of the other versions still there the best by the level
            noted with each blessing; empty if there is none. Its custom property
            `more_best` has path and level of those that come next, as JSON: where data
            change, BlessedRanks finds the best of them on the lists of the run.
    """

    SPEC_CLASS = spec.LatestPushedModelSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(self, *, candidate: types.BaseChannel, serving: str) -> None:
        """Wires the node.

        Args:
            candidate: `Model` channel, the new model. A pushed copy of itself, left by
                an earlier identical run, is passed over. Waiting for it also means that
                the answer is fresh.
            serving: Pusher's folder, one numbered folder per version: a local path,
                such as that of a mounted volume, or a gs:// URI.
        """
        super().__init__(
            spec=spec.LatestPushedModelSpec(
                candidate=candidate,
                serving=serving,
                model=types.Channel(type=standard_artifacts.Model),
                best_model=types.Channel(type=standard_artifacts.Model),
            )
        )
