"""What one node of the pipeline asks of the cluster."""

import re
from typing import Literal

import pydantic

from ncf_model.config import Config

GPU_RESOURCE = "nvidia.com/gpu"
TPU_RESOURCE = "google.com/tpu"

# Node ids become names of Argo templates.
_NODE_ID = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?")


class AcceleratorConfig(Config):
    """Accelerators of a node, all of one kind.

    Attributes:
        resource: the Kubernetes resource, `nvidia.com/gpu` or `google.com/tpu`.
        count: how many; for TPUs, all chips of the host.
    """

    resource: str
    count: pydantic.PositiveInt = 1


class TolerationConfig(Config):
    """A taint that the pod may be scheduled on (Kubernetes' own fields)."""

    key: str
    operator: Literal["Exists", "Equal"] = "Exists"
    value: str = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] = "NoSchedule"

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TolerationConfig":
        if self.operator == "Exists" and self.value:
            raise ValueError(
                "a toleration with operator Exists has no `value`; drop it or use Equal"
            )
        return self


class SecretConfig(Config):
    """A Kubernetes secret, as environment variables or as files.

    Attributes:
        name: of the secret.
        env: key of the secret -> name of the environment variable.
        mount_path: folder with one file per key.
    """

    name: str
    env: dict[str, str] = pydantic.Field(default_factory=dict)
    mount_path: str | None = None

    @pydantic.model_validator(mode="after")
    def _check(self) -> "SecretConfig":
        if bool(self.env) == bool(self.mount_path):
            raise ValueError(
                f"secret {self.name!r} must have either `env` or `mount_path`"
            )
        return self


class VolumeConfig(Config):
    """A persistent volume claim, mounted.

    Attributes:
        claim: name of the claim, in the namespace of the runs.
        mount_path: where the container sees it.
    """

    claim: str
    mount_path: str = pydantic.Field(pattern="^/")


class NodeConfig(Config):
    """What one node asks of the cluster. What is not given is taken from the profile.

    Attributes:
        cpu: cores, requested and at most.
        memory_gb: memory in 10^9 bytes, requested and at most.
        accelerator: GPUs or TPU chips; null asks for none.
        node_selector: labels that the machine must have.
        tolerations: taints that it may have.
        secrets: secrets the container sees.
        volumes: claims mounted into the container.
        spot: on machines that may be taken away; the task is then tried again.
        retries: how often a failed task is tried again.
        image: in place of the pipeline's image.
    """

    cpu: pydantic.PositiveFloat | None = None
    memory_gb: pydantic.PositiveFloat | None = None
    accelerator: AcceleratorConfig | None = None
    node_selector: dict[str, str] = pydantic.Field(default_factory=dict)
    tolerations: tuple[TolerationConfig, ...] = ()
    secrets: tuple[SecretConfig, ...] = ()
    volumes: tuple[VolumeConfig, ...] = ()
    spot: bool = False
    retries: pydantic.NonNegativeInt = 0
    image: str | None = None


def merge(base: NodeConfig, changes: NodeConfig) -> NodeConfig:
    """Returns `base` with the fields that were set in `changes`, null included.

    Example:
        >>> merge(NodeConfig(cpu=1, spot=True), NodeConfig(cpu=2)).model_dump(
        ...     include={"cpu", "spot"})
        {'cpu': 2.0, 'spot': True}
    """
    given = {name: getattr(changes, name) for name in changes.model_fields_set}
    return base.model_copy(update=given)


def check_node_id(node_id: str) -> None:
    """Raises ValueError if Argo would refuse the node's name."""
    if not _NODE_ID.fullmatch(node_id):
        raise ValueError(
            "The id of a node must be letters, digits and inner hyphens on Kubeflow "
            f"Pipelines; got {node_id!r}."
        )
