"""Pusher that also deploys the model to a Vertex AI endpoint.

It first pushes into the serving folder as on every runner: there the next run looks for
the model to beat, and an earlier version can be put back. Only a model that was pushed
is deployed.
"""

from tfx.dsl.components.base import executor_spec

from components.pusher import component
from components.vertex_pusher import executor


class Pusher(component.Pusher):
    """Our Pusher, followed by a deployment.

    `custom_config` holds under `executor.CONFIG_KEY` the endpoint's `project` and
    `region`, and `pusher`, the fields of `config.PusherConfig`.
    """

    EXECUTOR_SPEC = executor_spec.ExecutorClassSpec(executor.Executor)
