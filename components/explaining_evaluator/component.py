"""ExplainingEvaluator: TFX's Evaluator, which says why it did not bless a model."""

from tfx.components.evaluator.component import Evaluator
from tfx.dsl.components.base import executor_spec

from components.explaining_evaluator import executor


class ExplainingEvaluator(Evaluator):
    """TFX's Evaluator, which also notes on the blessing why a model was not blessed.

    Arguments and outputs are those of `Evaluator`, except that `eval_config` must be
    given. The custom property `not_blessed_because` of `blessing` has one reason a
    line. It is absent if the model is blessed.
    """

    EXECUTOR_SPEC = executor_spec.BeamExecutorSpec(executor.Executor)
