"""Places a node on machines of GKE, by labels and taints."""

from pipeline.cluster import machines
from pipeline.cluster.machines import Gpu, Topology
from pipeline.cluster.node_config import GPU_RESOURCE, TPU_RESOURCE
from pipeline.cluster.profiles import SPOT_RETRIES, Profile
from pipeline.kfp.pods import PodConfig, TolerationConfig

SPOT_LABEL = "cloud.google.com/gke-spot"
GPU_LABEL = "cloud.google.com/gke-accelerator"
TPU_LABEL = "cloud.google.com/gke-tpu-accelerator"
TOPOLOGY_LABEL = "cloud.google.com/gke-tpu-topology"
# The size of /dev/shm for each GPU beyond the first, which NCCL needs.
_SHARED_GB_PER_GPU = 2


def placed(
    node: PodConfig, *, profile: Profile, gpu: Gpu, gpus: int, topology: Topology
) -> PodConfig:
    """Returns Trainer's `node` with labels and taints of the profile's node pool."""
    if profile == "gpu":
        return node.model_copy(
            update={
                "node_selector": {GPU_LABEL: machines.GPUS[gpu].gke},
                "tolerations": (TolerationConfig(key=GPU_RESOURCE),),
                "shared_memory_gb": _SHARED_GB_PER_GPU * gpus if gpus > 1 else None,
            }
        )
    if profile == "tpu":
        return node.model_copy(
            update={
                "node_selector": {
                    TPU_LABEL: machines.TPU_LABEL,
                    TOPOLOGY_LABEL: topology,
                },
                "tolerations": (TolerationConfig(key=TPU_RESOURCE),),
            }
        )
    return node


def spot(node: PodConfig) -> PodConfig:
    """Returns `node` with the label and the taint of spot machines."""
    taint = TolerationConfig(key=SPOT_LABEL, operator="Equal", value="true")
    return node.model_copy(
        update={
            "node_selector": {**node.node_selector, SPOT_LABEL: "true"},
            "tolerations": (*node.tolerations, taint),
            "retries": max(node.retries, SPOT_RETRIES),
        }
    )
