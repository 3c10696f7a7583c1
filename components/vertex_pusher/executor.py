"""Pushes to the folder, then to the endpoint or the registry."""

from typing import Any

from components.pusher import announcing
from components.vertex_pusher import deployment, registry
from components.vertex_pusher.config import PusherConfig
from ncf_model.serving.version_record import VersionRecord

CONFIG_KEY = "vertex_endpoint"
MODEL_PROPERTY = "vertex_model"


class Executor(announcing.Executor):
    """Pushes to the folder, then to the endpoint or the registry."""

    MODEL_PROPERTY = MODEL_PROPERTY

    def announce(
        self, uri: str, *, version: str, record: VersionRecord, config: Any
    ) -> str:
        """Deploys or registers the pushed model; returns its name on Vertex."""
        settings = config[CONFIG_KEY]
        chosen = PusherConfig.model_validate(settings["pusher"])
        where = {"project": settings["project"], "region": settings["region"]}
        if chosen.platform == "registry":
            return registry.register(
                uri, version=version, record=record, settings=chosen, **where
            )
        return deployment.deploy(uri, version=version, settings=chosen, **where)
