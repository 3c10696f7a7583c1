"""TFX's InfraValidator, where the configuration asks for it, and where it cannot be."""

from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from tfx.dsl.components.base import base_node

    from pipeline.nodes.settings import Settings

_FIELD = "push.infra_validator"
_OR_NOT = f"set `{_FIELD}: null`: ExportCheck, which needs no Docker, is always made."
_PING_TIMEOUT_S = 10


def infra_validator(
    settings: "Settings", trainer: "base_node.BaseNode", check: "base_node.BaseNode"
) -> list["base_node.BaseNode"]:
    """Returns the node, or nothing where `push.infra_validator` is null.

    It loads the model and asks nothing: ExportCheck does.

    Args:
        settings: say whether, and with what limits.
        trainer: has the model.
        check: ExportCheck, which comes first: it takes a fraction of the time.
    """
    wanted = settings.config.push.infra_validator
    if wanted is None:
        return []
    # Late: it imports the clients of Docker and Kubernetes.
    from tfx.components.infra_validator.component import InfraValidator
    from tfx.proto import infra_validator_pb2 as protos

    node = InfraValidator(
        model=trainer.outputs["model"],
        serving_spec=protos.ServingSpec(
            tensorflow_serving=protos.TensorFlowServing(tags=[wanted.tag]),
            local_docker=protos.LocalDockerConfig(),
        ),
        validation_spec=protos.ValidationSpec(
            max_loading_time_seconds=wanted.max_loading_s, num_tries=wanted.tries
        ),
    )
    node.add_upstream_node(check)
    return [node]


def refuse(config: PipelineConfig, *, where: str) -> None:
    """Refuses an InfraValidator on a cluster, as TFX's compiler does.

    Args:
        config: what to compute.
        where: who is going to run it, for the message.

    Raises:
        ValueError: there is to be one.
    """
    if config.push.infra_validator is not None:
        raise ValueError(
            f"TFX compiles no InfraValidator for {where}: it is for a run on one "
            f"machine, with Docker. For {where} {_OR_NOT}"
        )


def require_docker(config: PipelineConfig) -> None:
    """Refuses an InfraValidator that this machine could not run.

    Raises:
        ValueError: there is to be one, and no Docker answers.
    """
    if config.push.infra_validator is None:
        return
    import docker
    from docker import errors

    try:
        docker.from_env(timeout=_PING_TIMEOUT_S).ping()
    except (errors.DockerException, OSError) as error:
        raise ValueError(
            f"`{_FIELD}` needs Docker, and none answers: {error}. Start it, or "
            f"{_OR_NOT}"
        ) from None
