"""TFX's InfraValidator: the node, and the refusal where it cannot run."""

from typing import TYPE_CHECKING

from pipeline.config import PipelineConfig

if TYPE_CHECKING:
    from tfx.dsl.components.base import base_node

    from pipeline.nodes.settings import NodeSettings

_FIELD = "push.infra_validator"
_OR_NOT = f"set `{_FIELD}: null`: ExportCheck, which needs no Docker, is always made."
_PING_TIMEOUT_S = 10


def infra_validator(
    settings: "NodeSettings", trainer: "base_node.BaseNode", check: "base_node.BaseNode"
) -> list["base_node.BaseNode"]:
    """Returns the node, or nothing where `push.infra_validator` is null.

    InfraValidator loads the model and sends no requests; ExportCheck sends some.

    Args:
        settings: say whether there is such a node, and with what limits.
        trainer: the node whose model is loaded.
        check: the node ExportCheck, which comes first because it takes less time.
    """
    wanted = settings.config.push.infra_validator
    if wanted is None:
        return []
    # Late: this imports the clients of Docker and Kubernetes.
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
        where: the service that runs the pipeline, for the message.

    Raises:
        ValueError: the configuration has an InfraValidator.
    """
    if config.push.infra_validator is not None:
        raise ValueError(
            f"TFX compiles no InfraValidator for {where}: it is for a run on one "
            f"machine, with Docker. For {where} {_OR_NOT}"
        )


def require_docker(config: PipelineConfig) -> None:
    """Refuses an InfraValidator that this machine could not run.

    Raises:
        ValueError: the configuration has an InfraValidator, and no Docker answers.
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
