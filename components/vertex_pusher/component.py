"""A Pusher that also deploys or registers the model on Vertex AI.

The component first pushes into the serving folder, as on every runner: the next run
looks there for the model to beat, and an earlier version can be restored. Only a model
that was pushed is deployed or registered.
"""

from tfx.dsl.components.base import executor_spec

from components.pusher import component
from components.vertex_pusher import executor


class Pusher(component.Pusher):
    """Our Pusher, which afterwards deploys or registers the model.

    `custom_config` holds under `executor.CONFIG_KEY` the endpoint's `project` and
    `region`, and `pusher`, the fields of `config.PusherConfig`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
