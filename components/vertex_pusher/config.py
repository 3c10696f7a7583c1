"""The typed, validated settings of VertexPusher."""

from typing import Literal

import pydantic

from ncf_model.config import Config


class PusherConfig(Config):
    """Where models are pushed besides the serving folder.

    Attributes:
        platform: `folder` pushes nowhere else; `vertex` deploys to an endpoint;
            `registry` adds a version to one model in Vertex' Model Registry, without an
            endpoint.
        endpoint: display name of the endpoint, or of the model in the registry. It is
            made if it does not exist.
        image: the container that serves the model: a prebuilt one of Vertex for the
            TensorFlow that trained, or one with the same routes.
        machine_type: the type of machine of each replica.
        min_replicas, max_replicas: the numbers of replicas between which Vertex scales
            by load.
        traffic: percentage of the requests that the new model gets; the older model
            that had most gets the rest.
        keep: how many older models stay deployed, each on its own machines.
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
