"""Where VertexPusher pushes models besides the serving folder: typed and validated."""

from typing import Literal

import pydantic

from ncf_model.config import Config


class PusherConfig(Config):
    """Where models are pushed besides the serving folder.

    Attributes:
        platform: `folder`, nowhere else; `vertex`, to an endpoint; `registry`, into
            Vertex' Model Registry as a version of one model, without an endpoint.
        endpoint: display name of the endpoint, or of the model in the registry; made if
            there is none of that name.
        image: that serves it: a prebuilt container of Vertex for the TensorFlow that
            trained, or one that keeps to the same routes.
        machine_type: of each replica.
        min_replicas, max_replicas: between which Vertex scales by load.
        traffic: percent of the requests that the new model gets; the rest stays with
            the one that had most.
        keep: how many older models stay deployed, each on machines of its own.
    """

    platform: Literal["folder", "registry", "vertex"] = "folder"
    endpoint: str = pydantic.Field("ncf", pattern="^[a-z]([-a-z0-9]{0,60})$")
    image: str | None = None
    machine_type: str = "n1-standard-2"
    min_replicas: pydantic.PositiveInt = 1
    max_replicas: pydantic.PositiveInt = 1
    traffic: int = pydantic.Field(100, ge=1, le=100)
    keep: pydantic.NonNegativeInt = 1

    @pydantic.model_validator(mode="after")
    def _check(self) -> "PusherConfig":
        if self.platform != "folder" and not self.image:
            raise ValueError("`image` must name the container that serves the model")
        if self.max_replicas < self.min_replicas:
            raise ValueError(
                f"`max_replicas` must be at least `min_replicas`, {self.min_replicas}; "
                f"got {self.max_replicas}"
            )
        if self.traffic < 100 and not self.keep:
            raise ValueError(
                f"`traffic` is {self.traffic}, so an older model must answer the rest: "
                "`keep` must be at least 1"
            )
        return self
