"""TFX's InfraValidator, where the configuration asks for it, and where it cannot be."""

from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from tfx.dsl.components.base import base_node

    from pipeline.nodes.settings import Settings

_FIELD = "push.infra_validator"
_OR_NOT = f"or set `{_FIELD}: null`: ExportCheck, which needs neither, is always made."
_PING_TIMEOUT_S = 10


def infra_validator(
    settings: "Settings", trainer: "base_node.BaseNode", check: "base_node.BaseNode"
) -> list["base_node.BaseNode"]:
    """Returns the node, or nothing where `push.infra_validator` is null.

    It loads the model and asks nothing: ExportCheck does.

    Args:
        settings: say whether, and what starts the server.
        trainer: has the model.
        check: ExportCheck, which comes first: it takes a fraction of the time.
    """
    wanted = settings.config.push.infra_validator
    if wanted is None:
        return []
    # Late: it imports the clients of Docker and Kubernetes.
    from tfx.components.infra_validator.component import InfraValidator
    from tfx.proto import infra_validator_pb2 as protos

    serving = protos.ServingSpec(
        tensorflow_serving=protos.TensorFlowServing(tags=[wanted.tag])
    )
    if wanted.platform == "docker":
        serving.local_docker.SetInParent()
    else:
        serving.kubernetes.SetInParent()
    node = InfraValidator(
        model=trainer.outputs["model"],
        serving_spec=serving,
        validation_spec=protos.ValidationSpec(
            max_loading_time_seconds=wanted.max_loading_s, num_tries=wanted.tries
        ),
    )
    node.add_upstream_node(check)
    return [node]


def require(config: PipelineConfig, platform: str | None, *, where: str) -> None:
    """Refuses an InfraValidator that could not run.

    Args:
        config: what to compute.
        platform: what `where` has; None for neither Docker nor Kubernetes.
        where: who is going to run it, for the message.

    Raises:
        ValueError: another platform is asked for.
    """
    wanted = config.push.infra_validator
    if wanted is None or wanted.platform == platform:
        return
    must = f"be {platform!r}" if platform else f"not be set: set `{_FIELD}: null`"
    raise ValueError(
        f"On {where} `{_FIELD}.platform` must {must}; got {wanted.platform!r}."
    )


def require_here(config: PipelineConfig) -> None:
    """Refuses an InfraValidator that this machine could not run.

    Raises:
        ValueError: it is to run in Kubernetes, or no Docker answers.
    """
    require(config, "docker", where="this machine")
    if config.push.infra_validator is None:
        return
    import docker
    from docker import errors

    try:
        docker.from_env(timeout=_PING_TIMEOUT_S).ping()
    except (errors.DockerException, OSError) as error:
        raise ValueError(
            f"`{_FIELD}` needs Docker, and none answers: {error}. Start it, {_OR_NOT}"
        ) from None
