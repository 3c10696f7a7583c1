"""What of the serving folder is kept: typed and validated."""

import pydantic

from ncf_model.config import Config


class BulkConfig(Config):
    """Everybody's list, written as Parquet after each push.

    Attributes:
        k: items per user.
    """

    k: int = pydantic.Field(100, ge=1, le=10_000)


class InfraValidatorConfig(Config):
    """TFX's InfraValidator: TensorFlow Serving itself loads a model before its push.

    For runs on one machine with Docker: TFX compiles it for no cluster.

    Attributes:
        tag: of the image tensorflow/serving.
        max_loading_s: how long loading may take.
        tries: how often it is tried.
    """

    tag: str = pydantic.Field("2.19.1", min_length=1)
    max_loading_s: int = pydantic.Field(300, ge=1)
    tries: int = pydantic.Field(3, ge=1)


class PushConfig(Config):
    """How models get into the serving folder.

    Attributes:
        keep: how many versions stay there, the newest included, and besides them the
            best one so far; null keeps all. Two at least: the one before is what a new
            model has to measure up to, and what a rollback goes back to.
        bulk: adds the node BulkRecommendations; null leaves it out.
        infra_validator: adds TFX's InfraValidator before Pusher, where there is Docker;
            null leaves it out.
    """

    keep: int | None = pydantic.Field(10, ge=2)
    bulk: BulkConfig | None = None
    infra_validator: InfraValidatorConfig | None = None
