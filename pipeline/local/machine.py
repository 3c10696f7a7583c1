"""Checks before a run that this machine has what `train.strategy` needs.

TensorFlow would say so only in Trainer, after all nodes before it.
"""

import glob
import os

from ncf_model.config import TrainConfig

_TPUS = ("/dev/accel[0-9]*", "/dev/vfio/[0-9]*")
_OF_CLUSTERS = ("multi_worker_mirrored", "parameter_server")


def require(train: TrainConfig) -> None:
    """Raises ValueError if the strategy cannot work here; says what could."""
    if train.strategy in _OF_CLUSTERS and not os.environ.get("TF_CONFIG"):
        raise ValueError(
            f"`train.strategy: {train.strategy}` needs TF_CONFIG to name the machines "
            "of the training; it is not set. Kubeflow's training operator and Vertex "
            "AI set it; on one machine use `auto` or `mirrored`."
        )
    is_local = train.strategy == "tpu" and train.tpu == "local"
    if is_local and not any(map(glob.glob, _TPUS)):
        raise ValueError(
            "`train.strategy: tpu` with `train.tpu: local` needs a TPU of this machine "
            f"({' or '.join(_TPUS)}), and there is none. Name another "
            "with `train.tpu`, or use `auto`."
        )
