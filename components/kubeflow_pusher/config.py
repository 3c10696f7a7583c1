"""Where KubeflowPusher registers models: typed and validated."""

import pydantic

from ncf_model.config import Config


class RegistryConfig(Config):
    """Kubeflow's Model Registry, in which each pushed version is entered.

    Attributes:
        url: the address of the registry's REST service, without the path of the API,
            such as http://model-registry-service.kubeflow.svc.cluster.local:8080.
        name: the name of the registered model, which has one version for each version
            of the serving folder.
        token_file: path of a file with the bearer token for the service, such as a
            mounted secret; null sends no token.
    """

    url: str = pydantic.Field(pattern=r"^https?://[^/?#]+/?$")
    name: str = pydantic.Field("ncf", pattern=r"^[\x20-\x7E]+$")
    token_file: str | None = None
