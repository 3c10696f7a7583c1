"""Report: says what a run came to, in HTML and in JSON."""

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
            blessing: `ModelBlessing` of the same.
            pushed_model: `PushedModel` of Pusher.
            served: `ModelEvaluation` of ServedEvaluation, where there is that node.
            dataset: the name by which the report calls the data.
            config: the configuration as JSON: by the dotted name of each field an
                object with `value` and `default`.
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
