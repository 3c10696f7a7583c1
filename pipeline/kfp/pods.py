"""The settings of a node's pod on Kubernetes: machine, limits, mounts."""

import pathlib
from typing import Any, Literal

import pydantic

from ncf_model.config import Config
from pipeline.cluster.node_config import NodeConfig, Variable
from pipeline.kfp.names import (
    AnnotationKey,
    DataKey,
    LabelKey,
    LabelValue,
    Name,
    TaintKey,
)

# Fields of pods that Kubeflow Pipelines cannot set -> what to do instead.
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
    """A taint that the pod tolerates, in Kubernetes' own fields."""

    key: TaintKey
    operator: Literal["Exists", "Equal"] = "Exists"
    value: LabelValue = ""
    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute", ""] = "NoSchedule"

    @pydantic.model_validator(mode="after")
    def _check(self) -> "TolerationConfig":
        if self.operator == "Exists" and self.value:
            raise ValueError(
                "a toleration with operator Exists has no `value`; drop it or use Equal"
            )
        if self.operator == "Equal" and not self.key:
            raise ValueError(
                "a toleration without a `key` is for all taints and has operator Exists"
            )
        return self


class SecretConfig(Config):
    """A Kubernetes secret, as environment variables or as files.

    Attributes:
        name: the name of the secret.
        env: key of the secret -> name of an environment variable.
        mount_path: a folder of the container that gets a file per key.
    """

    name: Name
    env: dict[DataKey, Variable] = pydantic.Field(default_factory=dict)
    mount_path: str | None = None

    @pydantic.model_validator(mode="after")
    def _check(self) -> "SecretConfig":
        if bool(self.env) == bool(self.mount_path):
            raise ValueError(f"{self.name!r} must have either `env` or `mount_path`")
        return self


class ConfigMapConfig(SecretConfig):
    """A Kubernetes config map, with the fields of `SecretConfig`."""


class VolumeConfig(Config):
    """A persistent volume claim, mounted.

    Attributes:
        claim: name of the claim, in the namespace of the runs.
        mount_path: the folder of the container where the volume is.
    """

    claim: Name
    mount_path: str = pydantic.Field(pattern="^/")


class ScratchConfig(Config):
    """A volume that is made and removed with its pod.

    Attributes:
        mount_path: the folder of the container where the volume is.
        size_gb: the size in 10^9 bytes.
        storage_class: the volume's storage class; null is the cluster's default.
    """

    mount_path: str = pydantic.Field(pattern="^/")
    size_gb: pydantic.PositiveFloat
    storage_class: Name | None = None


class PodConfig(NodeConfig):
    """The settings of one node on Kubernetes; see also `NodeConfig`.

    Attributes:
        node_selector: labels that the machine must have.
        tolerations: taints that the machine may have.
        secrets: secrets that the container sees.
        config_maps: config maps that the container sees.
        volumes: volume claims that the container mounts.
        scratch: volumes that live as long as the pod.
        shared_memory_gb: the size of /dev/shm in 10^9 bytes. Its default of 64 MB is
            too little for NCCL between several GPUs.
        labels, annotations: those of the pod, such as a cost centre or a queue of
            Kueue.
        image_pull_secrets: names of secrets for a private registry.
        image_pull_policy: `Always`, `IfNotPresent` or `Never`.
        run_as_user: number of the container's user; null is the image's, 1000.
        spot: whether the node runs on spot machines, which may be taken away; set
            `retries`, too.
    """

    node_selector: dict[LabelKey, LabelValue] = pydantic.Field(default_factory=dict)
    tolerations: tuple[TolerationConfig, ...] = ()
    secrets: tuple[SecretConfig, ...] = ()
    config_maps: tuple[ConfigMapConfig, ...] = ()
    volumes: tuple[VolumeConfig, ...] = ()
    scratch: tuple[ScratchConfig, ...] = ()
    shared_memory_gb: pydantic.PositiveFloat | None = None
    labels: dict[LabelKey, LabelValue] = pydantic.Field(default_factory=dict)
    annotations: dict[AnnotationKey, str] = pydantic.Field(default_factory=dict)
    image_pull_secrets: tuple[Name, ...] = ()
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
    """Returns whether a path is below the mount of one of the volumes."""
    parents = {str(p) for p in (pathlib.PurePosixPath(path) / "x").parents}
    return any(volume.mount_path.rstrip("/") in parents for volume in volumes)
