"""What one node asks of Kubernetes: its machine, its pod, and what it mounts."""

import pathlib
from typing import Any, Literal

import pydantic

from ncf_model.config import Config
from pipeline.cluster.node_config import NodeConfig

# What pods have and Kubeflow Pipelines cannot say: field -> what to do instead.
_REFUSED = {
    "priority_class": "give the namespace a default PriorityClass, or queue the pods "
    "with Kueue: labels {kueue.x-k8s.io/priority-class: NAME}",
    "service_account": "it is the run's: `ncf submit kfp --service-account NAME`",
    "ephemeral_storage_gb": "ask for `scratch`, a volume that lives as long as the pod",
    "fs_group": "the claim must be writable for user 1000: set it in the storage class "
    "or with a job that runs chown once",
    "seccomp": "Kubeflow 2.16 and later set RuntimeDefault for all pods; before, let "
    "the namespace do so: pod-security.kubernetes.io/enforce",
    "capabilities": "Kubeflow 2.16 and later drop all of them for all pods",
    "read_only_root": "the launcher writes beside the task; mount `scratch` for data",
}


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
            raise ValueError(f"{self.name!r} must have either `env` or `mount_path`")
        return self


class ConfigMapConfig(SecretConfig):
    """A Kubernetes config map, as environment variables or as files; see above."""


class VolumeConfig(Config):
    """A persistent volume claim, mounted.

    Attributes:
        claim: name of the claim, in the namespace of the runs.
        mount_path: where the container sees it.
    """

    claim: str
    mount_path: str = pydantic.Field(pattern="^/")


class ScratchConfig(Config):
    """A volume of the pod's own that is made and removed with it.

    Attributes:
        mount_path: where the container sees it.
        size_gb: in 10^9 bytes.
        storage_class: of the volume; null is the cluster's default.
    """

    mount_path: str = pydantic.Field(pattern="^/")
    size_gb: pydantic.PositiveFloat
    storage_class: str | None = None


class PodConfig(NodeConfig):
    """What one node asks of Kubernetes; see also `NodeConfig`.

    Attributes:
        node_selector: labels that the machine must have.
        tolerations: taints that it may have.
        secrets, config_maps: those that the container sees.
        volumes: claims mounted into the container.
        scratch: volumes of the pod's own.
        shared_memory_gb: size of /dev/shm, which has 64 MB by default: too little for
            NCCL between several GPUs.
        labels, annotations: of the pod, such as a cost centre or a queue of Kueue.
        image_pull_secrets: for a private registry.
        image_pull_policy: Kubernetes' own values.
        run_as_user: number of the container's user; null is the image's, 1000.
        spot: on machines that may be taken away; see `retries`.
    """

    node_selector: dict[str, str] = pydantic.Field(default_factory=dict)
    tolerations: tuple[TolerationConfig, ...] = ()
    secrets: tuple[SecretConfig, ...] = ()
    config_maps: tuple[ConfigMapConfig, ...] = ()
    volumes: tuple[VolumeConfig, ...] = ()
    scratch: tuple[ScratchConfig, ...] = ()
    shared_memory_gb: pydantic.PositiveFloat | None = None
    labels: dict[str, str] = pydantic.Field(default_factory=dict)
    annotations: dict[str, str] = pydantic.Field(default_factory=dict)
    image_pull_secrets: tuple[str, ...] = ()
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    run_as_user: pydantic.PositiveInt | None = None
    spot: bool = False

    @pydantic.model_validator(mode="before")
    @classmethod
    def _say_what_cannot_be_said(cls, values: Any) -> Any:
        for name, advice in _REFUSED.items():
            if isinstance(values, dict) and name in values:
                raise ValueError(f"Kubeflow Pipelines has no `{name}`: {advice}")
        return values


def is_in_volume(path: str, volumes: tuple[VolumeConfig, ...]) -> bool:
    """Returns whether a path lies where one of the claims is mounted."""
    parents = {str(p) for p in (pathlib.PurePosixPath(path) / "x").parents}
    return any(volume.mount_path.rstrip("/") in parents for volume in volumes)
