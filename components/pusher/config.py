"""The typed, validated settings of pushing."""

import pydantic

from ncf_model.config import Config


class BulkConfig(Config):
    """The recommendations of all users, written as Parquet after each push.

    Attributes:
        k: how many items each user gets.
    """

    k: int = pydantic.Field(100, ge=1, le=10_000)


class InfraValidatorConfig(Config):
    """TFX's InfraValidator: TensorFlow Serving itself loads a model before its push.

    InfraValidator works on one machine with Docker; TFX cannot compile it for clusters.

    Attributes:
        tag: the tag of the image tensorflow/serving.
        max_loading_s: how many seconds loading may take.
        tries: how often loading is tried.
    """

    tag: str = pydantic.Field("2.19.1", min_length=1)
    max_loading_s: int = pydantic.Field(300, ge=1)
    tries: int = pydantic.Field(3, ge=1)


class PushConfig(Config):
    """How models get into the serving folder.

    Attributes:
        keep: how many versions stay in the serving folder, the newest included; the
            best version so far stays in addition. Null keeps all. At least 2, because a
            new model is compared with the version before, and a rollback restores it.
        bulk: adds the node BulkRecommendations; null leaves it out.
        infra_validator: adds TFX's InfraValidator before Pusher, where there is Docker;
            null leaves it out.
    """

    keep: int | None = pydantic.Field(10, ge=2)
    bulk: BulkConfig | None = None
    infra_validator: InfraValidatorConfig | None = None
