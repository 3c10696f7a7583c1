"""Profiles: the resources of each node, with a CPU, GPUs or a TPU for Trainer."""

from typing import Literal

from pipeline.cluster import machines
from pipeline.cluster.machines import Gpu, Topology
from pipeline.cluster.node_config import (
    GPU_RESOURCE,
    TPU_RESOURCE,
    AcceleratorConfig,
    NodeConfig,
)
from pipeline.nodes import ids

Profile = Literal["cpu", "gpu", "tpu"]

SPOT_RETRIES = 3

_HOUR_S = 3600
TRAINER_TIMEOUT_S = 24 * _HOUR_S
_SMALL = NodeConfig(cpu=1, memory_gb=4, timeout_s=_HOUR_S)
# The size that fits on an e2-standard-4.
_DATA = NodeConfig(cpu=3.5, memory_gb=12, timeout_s=6 * _HOUR_S)
# The size that fits on an e2-standard-8 or c3-standard-8.
_TRAINER = NodeConfig(cpu=7, memory_gb=26, timeout_s=TRAINER_TIMEOUT_S)
_DATA_NODES = (
    ids.EXAMPLE_GEN,
    ids.STATISTICS,
    ids.TRANSFORM,
    ids.SAMPLING,
    ids.CONTEXT,
    ids.RANKS,
    ids.EVALUATOR,
    ids.BULK,
)


def node_config(
    node_id: str, *, profile: Profile, gpu: Gpu, gpus: int, topology: Topology
) -> NodeConfig:
    """Returns the resources of a node where the configuration does not set others.

    Args:
        node_id: such as `Trainer`, which alone gets accelerators.
        profile: the hardware of Trainer.
        gpu, gpus: kind and number of GPUs, for the profile `gpu`.
        topology: of the slice of TPU v5e, for the profile `tpu`.
    """
    if node_id == ids.TUNER:  # The trials train on the cores.
        return _TRAINER
    if node_id != ids.TRAINER:
        return _DATA if node_id in _DATA_NODES else _SMALL
    if profile == "gpu":
        kind = machines.GPUS[gpu]
        return _trainer(kind.cpu * gpus, kind.memory_gb * gpus, GPU_RESOURCE, gpus)
    if profile == "tpu":
        host = machines.TPU_HOSTS[topology]
        return _trainer(host.cpu, host.memory_gb, TPU_RESOURCE, host.chips)
    return _TRAINER


def strategy(profile: Profile, gpus: int) -> str:
    """Returns the `train.strategy` that goes with Trainer's hardware."""
    if profile == "tpu":
        return "tpu"
    return "mirrored" if profile == "gpu" and gpus > 1 else "one_device"


def _trainer(cpu: float, memory_gb: float, resource: str, count: int) -> NodeConfig:
    accelerator = AcceleratorConfig(resource=resource, count=count)
    changes = {"cpu": cpu, "memory_gb": memory_gb, "accelerator": accelerator}
    return _TRAINER.model_copy(update=changes)
