"""The machines of Google Cloud with accelerators: one table for GKE and for Vertex AI.

Only these machines can be asked for. Any other number of GPUs would compile, and the
task would then wait for ever for a machine that does not exist.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

Gpu = Literal["T4", "L4", "A100", "A100-80GB", "H100"]
Topology = Literal["1x1", "2x2", "2x4"]

CPU_MACHINE = "e2-standard-8"
TPU_LABEL = "tpu-v5-lite-podslice"


class GpuKind(NamedTuple):
    """One kind of GPU.

    Attributes:
        gke: the GPU's name on GKE, the value of a node label.
        vertex: the GPU's name on Vertex AI.
        cpu, memory_gb: cores and memory per GPU that a pod may ask for: less than the
            machine has, because GKE keeps some of both.
        machines: number of GPUs -> the type of machine with so many GPUs.
    """

    gke: str
    vertex: str
    cpu: float
    memory_gb: float
    machines: Mapping[int, str]


class TpuHost(NamedTuple):
    """A host with chips of TPU v5e; a task is one pod, and so has one host."""

    machine: str
    chips: int
    cpu: float
    memory_gb: float


GPUS: Mapping[str, GpuKind] = {
    "T4": GpuKind(
        "nvidia-tesla-t4",
        "NVIDIA_TESLA_T4",
        *(7, 24),
        {1: "n1-standard-8", 2: "n1-standard-16", 4: "n1-standard-32"},
    ),
    "L4": GpuKind(
        "nvidia-l4",
        "NVIDIA_L4",
        *(7, 26),
        {
            1: "g2-standard-8",
            2: "g2-standard-24",
            4: "g2-standard-48",
            8: "g2-standard-96",
        },
    ),
    "A100": GpuKind(
        "nvidia-tesla-a100",
        "NVIDIA_TESLA_A100",
        *(11, 75),
        {n: f"a2-highgpu-{n}g" for n in (1, 2, 4, 8)},
    ),
    "A100-80GB": GpuKind(
        "nvidia-a100-80gb",
        "NVIDIA_A100_80GB",
        *(11, 150),
        {n: f"a2-ultragpu-{n}g" for n in (1, 2, 4, 8)},
    ),
    "H100": GpuKind(
        "nvidia-h100-80gb",
        "NVIDIA_H100_80GB",
        *(24, 200),
        {n: f"a3-highgpu-{n}g" for n in (1, 2, 4, 8)},
    ),
}
TPU_HOSTS: Mapping[str, TpuHost] = {
    "1x1": TpuHost("ct5lp-hightpu-1t", 1, 20, 40),
    "2x2": TpuHost("ct5lp-hightpu-4t", 4, 100, 170),
    "2x4": TpuHost("ct5lp-hightpu-8t", 8, 200, 350),
}


def gpu_machine(gpu: Gpu, gpus: int) -> str:
    """Returns the machine with that many GPUs of that kind.

    Raises:
        ValueError: there is no such machine.
    """
    machines = GPUS[gpu].machines
    if gpus not in machines:
        raise ValueError(
            f"no machine of Google Cloud has {gpus} GPUs of kind {gpu}: `gpus` must be "
            f"one of {sorted(machines)}"
        )
    return machines[gpus]
