"""The Kubernetes half of a compiled pipeline, the second YAML document.

The first document has CPU, memory, accelerators, variables and retries
(`pipeline.cluster.node_spec`). This document has all other settings of pods, in the
fields of `KubernetesExecutorConfig`. The names of secrets and claims are in the fields
that every backend knows: backends before 2.5 refuse the newer `secretNameParameter` and
`pvcNameParameter`.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.kfp.pods import ConfigMapConfig, PodConfig, ScratchConfig, SecretConfig


def kubernetes(node: PodConfig) -> dict[str, Any]:
    """Returns the node's `KubernetesExecutorConfig`, without empty fields."""
    spec = _placement(node) | _pod(node) | _mounts(node)
    return {name: value for name, value in spec.items() if value}


def document(
    nodes: Mapping[str, PodConfig], *, run_timeout_s: int | None = None
) -> dict[str, Any]:
    """Returns the platform specification of all nodes, by the backend's keys."""
    executors = {f"{name}_executor": kubernetes(node) for name, node in nodes.items()}
    asking = {name: spec for name, spec in executors.items() if spec}
    platform: dict[str, Any] = {"deploymentSpec": {"executors": asking}}
    if run_timeout_s is not None:
        platform["pipelineConfig"] = {"activeDeadlineSeconds": run_timeout_s}
    return {"platforms": {"kubernetes": platform}}


def _placement(node: PodConfig) -> dict[str, Any]:
    return {
        "nodeSelector": {"labels": dict(node.node_selector)}
        if node.node_selector
        else {},
        "tolerations": [
            {name: value for name, value in toleration.model_dump().items() if value}
            for toleration in node.tolerations
        ],
    }


def _pod(node: PodConfig) -> dict[str, Any]:
    metadata = {"labels": dict(node.labels), "annotations": dict(node.annotations)}
    user = {} if node.run_as_user is None else {"runAsUser": str(node.run_as_user)}
    return {
        "podMetadata": {name: value for name, value in metadata.items() if value},
        "imagePullSecret": [{"secretName": name} for name in node.image_pull_secrets],
        "imagePullPolicy": node.image_pull_policy,
        "securityContext": user,
        # An int64 is text in JSON.
        "activeDeadlineSeconds": str(node.timeout_s) if node.timeout_s else None,
    }


def _mounts(node: PodConfig) -> dict[str, Any]:
    return {
        "secretAsEnv": _as_env(node.secrets, "secret", "secret"),
        "secretAsVolume": _as_files(node.secrets, "secret"),
        "configMapAsEnv": _as_env(node.config_maps, "configMap", "configMap"),
        "configMapAsVolume": _as_files(node.config_maps, "configMap"),
        "pvcMount": [
            {"constant": v.claim, "mountPath": v.mount_path} for v in node.volumes
        ],
        "genericEphemeralVolume": [
            _scratch(i, volume) for i, volume in enumerate(node.scratch)
        ],
        # `enabledSharedMemory` would not do: it is declared, but no backend reads it
        # (2.17).
        "emptyDirMounts": []
        if node.shared_memory_gb is None
        else [
            {
                "volumeName": "shared-memory",
                "mountPath": "/dev/shm",
                "medium": "Memory",
                "sizeLimit": f"{node.shared_memory_gb:g}G",
            }
        ],
    }


def _as_env(
    given: tuple[SecretConfig, ...] | tuple[ConfigMapConfig, ...], kind: str, key: str
) -> list[dict[str, Any]]:
    return [
        {
            f"{kind}Name": one.name,
            "keyToEnv": [
                {f"{key}Key": name, "envVar": variable}
                for name, variable in sorted(one.env.items())
            ],
        }
        for one in given
        if one.env
    ]


def _as_files(
    given: tuple[SecretConfig, ...] | tuple[ConfigMapConfig, ...], kind: str
) -> list[dict[str, Any]]:
    return [
        {f"{kind}Name": one.name, "mountPath": one.mount_path}
        for one in given
        if one.mount_path
    ]


def _scratch(number: int, volume: ScratchConfig) -> dict[str, Any]:
    spec: dict[str, Any] = {
        "volumeName": f"scratch-{number}",
        "mountPath": volume.mount_path,
        "accessModes": ["ReadWriteOnce"],
        "size": f"{volume.size_gb:g}G",
    }
    if volume.storage_class is None:
        return spec | {"defaultStorageClass": True}
    return spec | {"storageClassName": volume.storage_class}
