"""Where KubeflowPusher registers models: typed and validated."""

import pydantic

from ncf_model.config import Config


class RegistryConfig(Config):
    """Kubeflow's Model Registry, in which each pushed version is entered.

    Attributes:
        url: of its REST service, without the path of the API, such as
            http://model-registry-service.kubeflow.svc.cluster.local:8080.
        name: of the registered model, whose versions are those of the serving folder.
        token_file: file with the bearer token that the service asks for, such as a
            mounted secret; null sends none.
    """

    url: str = pydantic.Field(pattern=r"^https?://[^/?#]+/?$")
    name: str = pydantic.Field("ncf", pattern=r"^[\x20-\x7E]+$")
    token_file: str | None = None
