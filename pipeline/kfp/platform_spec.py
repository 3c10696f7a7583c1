"""The compiled form of what nodes ask of the cluster, in its two halves.

CPU, memory and accelerators belong to the pipeline specification; selectors,
tolerations, secrets and volumes to the Kubernetes platform specification, the second
YAML document.
"""

from collections.abc import Mapping
from typing import Any

from pipeline.cluster.node_config import NodeConfig, SecretConfig


def resources(node: NodeConfig) -> dict[str, Any]:
    """Returns the node's `ResourceSpec`; requests equal limits.

    The older fields are used, numbers: every backend since 2.0 and Vertex know them.
    """
    spec: dict[str, Any] = {}
    if node.cpu is not None:
        spec |= {"cpuLimit": node.cpu, "cpuRequest": node.cpu}
    if node.memory_gb is not None:
        spec |= {"memoryLimit": node.memory_gb, "memoryRequest": node.memory_gb}
    if node.accelerator is not None:
        spec["accelerator"] = {
            "type": node.accelerator.resource,
            "count": str(node.accelerator.count),  # an int64, hence text in JSON
        }
    return spec


def retry_policy(node: NodeConfig) -> dict[str, Any]:
    """Returns the task's `RetryPolicy`; empty if it is not tried again."""
    if not node.retries:
        return {}
    return {
        "maxRetryCount": node.retries,
        "backoffDuration": "60s",
        "backoffFactor": 2.0,
        "backoffMaxDuration": "900s",
    }


def kubernetes(node: NodeConfig) -> dict[str, Any]:
    """Returns the node's `KubernetesExecutorConfig`; empty if it asks for nothing.

    Names stand in the fields that every backend knows: those before 2.5 refuse the
    newer `secretNameParameter` and `pvcNameParameter`.
    """
    spec: dict[str, Any] = {}
    if node.node_selector:
        spec["nodeSelector"] = {"labels": dict(node.node_selector)}
    if node.tolerations:
        spec["tolerations"] = [
            {name: value for name, value in toleration.model_dump().items() if value}
            for toleration in node.tolerations
        ]
    if variables := [_as_env(s) for s in node.secrets if s.env]:
        spec["secretAsEnv"] = variables
    if mounts := [s for s in node.secrets if s.mount_path]:
        spec["secretAsVolume"] = [
            {"secretName": s.name, "mountPath": s.mount_path} for s in mounts
        ]
    if node.volumes:
        spec["pvcMount"] = [
            {"constant": v.claim, "mountPath": v.mount_path} for v in node.volumes
        ]
    return spec


def document(nodes: Mapping[str, NodeConfig]) -> dict[str, Any]:
    """Returns the platform specification of all nodes, keyed as the backend looks."""
    executors = {f"{name}_executor": kubernetes(node) for name, node in nodes.items()}
    asking = {name: spec for name, spec in executors.items() if spec}
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": asking}}}}


def _as_env(secret: SecretConfig) -> dict[str, Any]:
    return {
        "secretName": secret.name,
        "keyToEnv": [
            {"secretKey": key, "envVar": variable}
            for key, variable in sorted(secret.env.items())
        ],
    }
