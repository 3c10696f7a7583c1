"""Settings of Trainer as a Vertex AI Training job, for TFX's component.

The task of the pipeline only starts the job and waits. Every replica runs the same
command on the same URIs. The variable TF_CONFIG tells a replica which one it is; only
the chief writes.
"""

from typing import Any

from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer import executor

from pipeline.cluster import machines, profiles
from pipeline.nodes import ids
from pipeline.vertex.config import VertexConfig


def custom_config(platform: VertexConfig) -> dict[str, Any]:
    """Returns the `custom_config` for TFX's Trainer on Vertex."""
    spec: dict[str, Any] = {"worker_pool_specs": _pools(platform)}
    if platform.service_account:
        spec["service_account"] = platform.service_account
    if platform.network:
        spec["network"] = platform.network
    timeout_s = platform.node(ids.TRAINER).timeout_s or profiles.TRAINER_TIMEOUT_S
    spec["scheduling"] = {"timeout": f"{timeout_s}s"}
    if platform.spot:
        spec["scheduling"]["strategy"] = "SPOT"
    return {
        constants.ENABLE_VERTEX_KEY: True,
        constants.VERTEX_REGION_KEY: platform.region,
        executor.TRAINING_ARGS_KEY: {
            "project": platform.project,
            "labels": {"source": "ncf"},
            "job_spec": spec,
        },
    }


def _pools(platform: VertexConfig) -> list[dict[str, Any]]:
    """Returns the worker pool of the chief and, if there are others, theirs."""
    pool = {
        "machine_spec": _machine(platform),
        "container_spec": {"image_uri": platform.trainer_image or platform.image},
    }
    others = platform.trainer.workers - 1
    pools = [{**pool, "replica_count": 1}]
    return [*pools, {**pool, "replica_count": others}] if others else pools


def _machine(platform: VertexConfig) -> dict[str, Any]:
    if platform.profile == "tpu":
        host = machines.TPU_HOSTS[platform.topology]
        return {"machine_type": host.machine, "tpu_topology": platform.topology}
    if platform.profile == "cpu":
        return {"machine_type": machines.CPU_MACHINE}
    return {
        "machine_type": machines.gpu_machine(platform.gpu, platform.gpus),
        "accelerator_type": machines.GPUS[platform.gpu].vertex,
        "accelerator_count": platform.gpus,
    }
