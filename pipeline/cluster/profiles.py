"""Sizes for GKE: what each node asks for, with a CPU, GPUs or a TPU for the trainer.

Requests stay below what the named machines can allocate: GKE keeps some of each.
"""

from typing import Literal, NamedTuple

from pipeline.cluster.node_config import (
    GPU_RESOURCE,
    TPU_RESOURCE,
    AcceleratorConfig,
    NodeConfig,
    TolerationConfig,
)

Profile = Literal["cpu", "gpu", "tpu"]
Gpu = Literal["T4", "L4", "A100", "A100-80GB", "H100"]
Topology = Literal["1x1", "2x2", "2x4"]

TRAINER = "Trainer"
SPOT_LABEL = "cloud.google.com/gke-spot"
GPU_LABEL = "cloud.google.com/gke-accelerator"
TPU_LABEL = "cloud.google.com/gke-tpu-accelerator"
TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
TPU_V5E = "tpu-v5-lite-podslice"


class _Machine(NamedTuple):
    """The share of a machine that goes with one accelerator (or with the host)."""

    label: str
    cpu: float
    memory_gb: float


# n1-standard-8 + T4, g2-standard-8, a2-highgpu-1g, a2-ultragpu-1g, an eighth of
# a3-highgpu-8g. With more GPUs the share is multiplied.
_GPUS: dict[str, _Machine] = {
    "T4": _Machine("nvidia-tesla-t4", 7, 24),
    "L4": _Machine("nvidia-l4", 7, 26),
    "A100": _Machine("nvidia-tesla-a100", 11, 75),
    "A100-80GB": _Machine("nvidia-a100-80gb", 11, 150),
    "H100": _Machine("nvidia-h100-80gb", 24, 200),
}
# ct5lp-hightpu-1t, -4t and -8t: one host each. A task is one pod, so no more than that.
_CHIPS: dict[str, int] = {"1x1": 1, "2x2": 4, "2x4": 8}
_TPU_HOSTS: dict[str, _Machine] = {
    "1x1": _Machine(TPU_V5E, 20, 40),
    "2x2": _Machine(TPU_V5E, 100, 170),
    "2x4": _Machine(TPU_V5E, 200, 350),
}

_SMALL = NodeConfig(cpu=1, memory_gb=4)
_DATA = NodeConfig(cpu=3.5, memory_gb=12)  # e2-standard-4
_CPU_TRAINER = NodeConfig(cpu=7, memory_gb=26)  # e2-standard-8, c3-standard-8
_DATA_NODES = (
    "InteractionsExampleGen",
    "StatisticsGen",
    "Transform",
    "NegativeSampling",
    "EvalContext",
    "BlessedRanks",
    "Evaluator",
)


def node_config(
    node_id: str, *, profile: Profile, gpu: Gpu, gpus: int, topology: Topology
) -> NodeConfig:
    """Returns what a node asks for unless the configuration says otherwise.

    Args:
        node_id: such as `Trainer`; only that one gets accelerators.
        profile: what the trainer runs on.
        gpu, gpus: kind and number, for profile `gpu`.
        topology: of the v5e slice, for profile `tpu`.
    """
    if node_id == TRAINER:
        if profile == "gpu":
            return _gpu_trainer(gpu, gpus)
        if profile == "tpu":
            return _tpu_trainer(topology)
        return _CPU_TRAINER
    return _DATA if node_id in _DATA_NODES else _SMALL


def strategy(profile: Profile, gpus: int) -> str:
    """Returns the `train.strategy` that goes with what the trainer runs on."""
    if profile == "tpu":
        return "tpu"
    return "mirrored" if profile == "gpu" and gpus > 1 else "one_device"


def spot(node: NodeConfig) -> NodeConfig:
    """Returns `node` asking for spot machines, which carry a label and a taint."""
    taint = TolerationConfig(key=SPOT_LABEL, operator="Equal", value="true")
    return node.model_copy(
        update={
            "node_selector": {**node.node_selector, SPOT_LABEL: "true"},
            "tolerations": (*node.tolerations, taint),
            "retries": max(node.retries, 3),
        }
    )


def _gpu_trainer(gpu: Gpu, gpus: int) -> NodeConfig:
    machine = _GPUS[gpu]
    return NodeConfig(
        cpu=machine.cpu * gpus,
        memory_gb=machine.memory_gb * gpus,
        accelerator=AcceleratorConfig(resource=GPU_RESOURCE, count=gpus),
        node_selector={GPU_LABEL: machine.label},
        tolerations=(TolerationConfig(key=GPU_RESOURCE),),
    )


def _tpu_trainer(topology: Topology) -> NodeConfig:
    machine = _TPU_HOSTS[topology]
    return NodeConfig(
        cpu=machine.cpu,
        memory_gb=machine.memory_gb,
        accelerator=AcceleratorConfig(resource=TPU_RESOURCE, count=_CHIPS[topology]),
        node_selector={TPU_LABEL: machine.label, TOPOLOGY_LABEL: topology},
        tolerations=(TolerationConfig(key=TPU_RESOURCE),),
    )
