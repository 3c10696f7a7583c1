"""StrictExampleValidator: no model is trained on data that does not fit the schema."""

from tfx.components.example_validator.component import ExampleValidator
from tfx.dsl.components.base import executor_spec

from components.strict_example_validator import executor


class StrictExampleValidator(ExampleValidator):
    """TFX's ExampleValidator, which fails on an anomaly instead of only noting it.

    Arguments and outputs are those of `ExampleValidator`. What must not run on bad data
    is made to wait with `transform.add_upstream_node(validator)`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
