"""A Pusher that also registers the model in Kubeflow's Model Registry."""

from tfx.dsl.components.base import executor_spec

from components.kubeflow_pusher import executor
from components.pusher import component


class Pusher(component.Pusher):
    """Our Pusher, which afterwards enters the version into the registry.

    `custom_config` holds under `executor.CONFIG_KEY` the fields of
    `config.RegistryConfig`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
