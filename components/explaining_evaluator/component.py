"""ExplainingEvaluator: a blessing that is refused carries the reasons."""

from tfx.components.evaluator.component import Evaluator
from tfx.dsl.components.base import executor_spec

from components.explaining_evaluator import executor


class ExplainingEvaluator(Evaluator):
    """TFX's Evaluator, which also notes on the blessing why it was not given.

    Arguments and outputs are those of `Evaluator`, but that `eval_config` is needed.
    The custom property `not_blessed_because` of `blessing` has one reason a line, and
    is absent from a model that is blessed.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
