"""Trainer as a Vertex AI Training job: its worker pools, as TFX's component takes them.

The task of the pipeline only starts the job and waits. Every replica runs the same
command on the same URIs; TF_CONFIG tells it which one it is, and the chief writes.
"""

from typing import Any

from tfx.extensions.google_cloud_ai_platform import constants
from tfx.extensions.google_cloud_ai_platform.trainer import executor

from pipeline.vertex.config import VertexConfig

ACCELERATORS = {
    "T4": "NVIDIA_TESLA_T4",
    "L4": "NVIDIA_L4",
    "A100": "NVIDIA_TESLA_A100",
    "A100-80GB": "NVIDIA_A100_80GB",
    "H100": "NVIDIA_H100_80GB",
}
_CPU_MACHINE = "e2-standard-8"
# By kind and number of GPUs: the machines that such a number fits on.
_GPU_MACHINES = {
    "T4": {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    "L4": {
        1: "g2-standard-8",
        2: "g2-standard-24",
        4: "g2-standard-48",
        8: "g2-standard-96",
    },
    "A100": {n: f"a2-highgpu-{n}g" for n in (1, 2, 4, 8)},
    "A100-80GB": {n: f"a2-ultragpu-{n}g" for n in (1, 2, 4, 8)},
    "H100": {n: f"a3-highgpu-{n}g" for n in (1, 2, 4, 8)},
}
# v5e slices of one host.
_TPU_MACHINES = {
    "1x1": "ct5lp-hightpu-1t",
    "2x2": "ct5lp-hightpu-4t",
    "2x4": "ct5lp-hightpu-8t",
}


def custom_config(platform: VertexConfig) -> dict[str, Any]:
    """Returns what TFX's Vertex Trainer reads from `custom_config`.

    Raises:
        ValueError: no machine has that number of GPUs.
    """
    spec: dict[str, Any] = {"worker_pool_specs": _pools(platform)}
    if platform.service_account:
        spec["service_account"] = platform.service_account
    if platform.network:
        spec["network"] = platform.network
    if platform.spot:
        spec["scheduling"] = {"strategy": "SPOT"}
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
    """Returns the chief's pool and, with more workers, that of the others."""
    pool = {
        "machine_spec": _machine(platform),
        "container_spec": {"image_uri": platform.trainer_image or platform.image},
    }
    others = platform.trainer.workers - 1
    pools = [{**pool, "replica_count": 1}]
    return [*pools, {**pool, "replica_count": others}] if others else pools


def _machine(platform: VertexConfig) -> dict[str, Any]:
    if platform.profile == "tpu":
        machine = _TPU_MACHINES[platform.topology]
        return {"machine_type": machine, "tpu_topology": platform.topology}
    if platform.profile == "cpu":
        return {"machine_type": _CPU_MACHINE}
    machines = _GPU_MACHINES[platform.gpu]
    if platform.gpus not in machines:
        raise ValueError(
            f"A machine on Vertex has {sorted(machines)} GPUs of kind {platform.gpu}; "
            f"got `gpus` {platform.gpus}. More of them: `trainer.workers`."
        )
    return {
        "machine_type": machines[platform.gpus],
        "accelerator_type": ACCELERATORS[platform.gpu],
        "accelerator_count": platform.gpus,
    }
