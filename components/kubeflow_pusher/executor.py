"""Pushes to the folder, then enters the version into the registry."""

from typing import Any

from components.kubeflow_pusher import registry
from components.kubeflow_pusher.config import RegistryConfig
from components.pusher import announcing
from ncf_model.serving.version_record import VersionRecord

CONFIG_KEY = "kubeflow_registry"


class Executor(announcing.Executor):
    """Pushes to the folder, then enters the version into the registry."""

    MODEL_PROPERTY = "registered_model"

    def announce(
        self, uri: str, *, version: str, record: VersionRecord, config: Any
    ) -> str:
        """Registers the pushed version; returns the version's address in the API."""
        settings = RegistryConfig.model_validate(config[CONFIG_KEY])
        client = registry.Client(settings.url, settings.token_file)
        return registry.register(
            client, uri, name=settings.name, version=version, record=record
        )
