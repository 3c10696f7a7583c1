"""Writes the part of a node's settings that is in the pipeline specification."""

from typing import Any

from pipeline.cluster.node_config import NodeConfig

_BACKOFF_S = 60
_FACTOR = 2


def resources(node: NodeConfig) -> dict[str, Any]:
    """Returns the node's `ResourceSpec`; requests equal limits.

    The older fields, which are numbers, are used: all backends since 2.0 and Vertex
    know them.
    """
    spec: dict[str, Any] = {}
    if node.cpu is not None:
        spec |= {"cpuLimit": node.cpu, "cpuRequest": node.cpu}
    if node.memory_gb is not None:
        spec |= {"memoryLimit": node.memory_gb, "memoryRequest": node.memory_gb}
    if node.accelerator is not None:
        spec["accelerator"] = {
            "type": node.accelerator.resource,
            "count": str(node.accelerator.count),  # An int64 is text in JSON.
        }
    return spec


def environment(node: NodeConfig) -> list[dict[str, str]]:
    """Returns the container's `env`."""
    return [{"name": name, "value": value} for name, value in sorted(node.env.items())]


def retry_policy(node: NodeConfig, *, longest_s: int | None = None) -> dict[str, Any]:
    """Returns the task's `RetryPolicy`; {} if a failed task is not tried again.

    `backoffMaxDuration` does not limit a pause. Kubeflow gives the value to Argo as
    `maxDuration`, and Argo ends all retries so long after the START of the first
    attempt. Without the value KFP passes 0, which ends the retries at once. So the
    value must cover all attempts at their longest, and the pauses between them.

    Args:
        node: the node; `timeout_s` says how long one attempt may take, a day if it is
            null.
        longest_s: the largest value that the service accepts; None is no limit.
    """
    if not node.retries:
        return {}
    attempts = (node.retries + 1) * (node.timeout_s or 24 * 3600)
    pauses = sum(_BACKOFF_S * _FACTOR**attempt for attempt in range(node.retries))
    window = attempts + pauses
    return {
        "maxRetryCount": node.retries,
        "backoffDuration": f"{_BACKOFF_S}s",
        "backoffFactor": float(_FACTOR),
        "backoffMaxDuration": f"{min(window, longest_s or window)}s",
    }
