"""StrictExampleValidator: TFX's ExampleValidator, which fails on an anomaly."""

from tfx.components.example_validator.component import ExampleValidator
from tfx.dsl.components.base import executor_spec

from components.strict_example_validator import executor


class StrictExampleValidator(ExampleValidator):
    """TFX's ExampleValidator, which fails on an anomaly instead of only noting it.

    Arguments and outputs are those of `ExampleValidator`. With
    `transform.add_upstream_node(validator)` a node waits, and never runs on bad data.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
