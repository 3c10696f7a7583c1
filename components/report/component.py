"""Report: writes the result of a run as HTML and as JSON."""

from tfx import types
from tfx.dsl.components.base import base_component, executor_spec

from components.report import executor, spec


class Report(base_component.BaseComponent):
    """Writes `index.html` and `summary.json`; the last node of the pipeline.

    Outputs:
        report: `RunReport`, a folder with both files.
    """

    SPEC_CLASS = spec.ReportSpec
    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)

    def __init__(
        self,
        *,
        interactions: types.BaseChannel,
        lists: types.BaseChannel,
        context: types.BaseChannel | None = None,
        model: types.BaseChannel,
        model_run: types.BaseChannel,
        evaluation: types.BaseChannel,
        blessing: types.BaseChannel,
        pushed_model: types.BaseChannel,
        served: types.BaseChannel | None = None,
        dataset: str,
        config: str = "{}",
    ) -> None:
        """Wires the report.

        Args:
            interactions: `Examples` of InteractionsExampleGen; its counts are shown.
            lists: `Examples` of NegativeSampling; its counts are shown.
            context: `Examples` of EvalContext; the settings of its baselines are shown.
            model: `Model` of the trainer; what it recommends to some users is shown.
            model_run: `ModelRun` holding the trainer's `history.json`.
            evaluation: `ModelEvaluation` of TFX's Evaluator.
            blessing: `ModelBlessing` of TFX's Evaluator.
            pushed_model: `PushedModel` of Pusher.
            served: `ModelEvaluation` of ServedEvaluation; None without that node.
            dataset: the name of the data in the report.
            config: the configuration as JSON, which has an object with `value` and
                `default` for the dotted name of each field.
        """
        super().__init__(
            spec=spec.ReportSpec(
                interactions=interactions,
                lists=lists,
                context=context,
                model=model,
                model_run=model_run,
                evaluation=evaluation,
                blessing=blessing,
                pushed_model=pushed_model,
                served=served,
                dataset=dataset,
                config=config,
                report=types.Channel(type=spec.RunReport),
            )
        )
