"""ExportCheck: stops the run if the exported model does not answer as trained."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec
from tfx.types import standard_artifacts

from components.export_check import executor, spec


class ExportCheck(base_component.BaseComponent):
    """Asks the SavedModel in a process that has only TensorFlow; fails if it is broken.

    `evaluator.add_upstream_node(check)` makes a node wait that must not run on a broken
    export.

    Example:
        check = ExportCheck(
            model=trainer.outputs["model"], model_run=trainer.outputs["model_run"]
        )

    Outputs:
        check: `InfraBlessing` with `check.json`, the seconds of loading and of a
            request.
    """

    SPEC_CLASS = spec.ExportCheckSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self, *, model: types.BaseChannel, model_run: types.BaseChannel
    ) -> None:
        """Wires the node.

        Args:
            model: `Model` channel, the exported model.
            model_run: `ModelRun` channel with the trainer's own scores, `probe.json`.
        """
        super().__init__(
            spec=spec.ExportCheckSpec(
                model=model,
                model_run=model_run,
                check=types.Channel(type=standard_artifacts.InfraBlessing),
            )
        )
