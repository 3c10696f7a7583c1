"""Where the pipeline runs: the typed, validated settings of Kubeflow Pipelines."""

import pathlib
from collections.abc import Mapping
from typing import Literal

import pydantic

from components.kubeflow_pusher.config import RegistryConfig
from ncf_model.config import Config
from pipeline.cluster import config
from pipeline.kfp import gke, pods
from pipeline.kfp.pods import PodConfig, VolumeConfig
from pipeline.nodes import ids

_SERVING_SCHEMES = ("gs://", "/")


class NotifyConfig(Config):
    """Who is told how a run has ended: a webhook, such as Slack's.

    Attributes:
        secret: the Kubernetes secret that holds the URL, in the namespace of the runs.
        key: of the URL in it.
        on: `failure` tells of runs that did not succeed, `always` of all.
    """

    secret: str
    key: str = "url"
    on: Literal["failure", "always"] = "failure"


class KfpConfig(config.ClusterConfig):
    """Where and on what the pipeline runs on Kubernetes; see also `ClusterConfig`.

    Attributes:
        serving: Pusher's folder: gs://..., or a path below a mounted volume. Pods do
            not share any other path.
        volumes: claims mounted into every node.
        nodes: node id -> what its pod asks for; `*` is every node.
        run_timeout_s: after that many seconds the whole run is ended. For Kubeflow 2.17
            and later; earlier ones refuse a pipeline that has it.
        notify: who is told how a run has ended; null tells nobody.
        model_registry: Kubeflow's Model Registry, in which each pushed version is
            entered; null enters none.
    """

    serving: str = "/mnt/ncf/serving"
    volumes: tuple[VolumeConfig, ...] = (
        VolumeConfig(claim="ncf", mount_path="/mnt/ncf"),
    )
    nodes: Mapping[str, PodConfig] = pydantic.Field(default_factory=dict)
    run_timeout_s: pydantic.PositiveInt | None = None
    notify: NotifyConfig | None = None
    model_registry: RegistryConfig | None = None

    @pydantic.model_validator(mode="after")
    def _check(self) -> "KfpConfig":
        if not self.serving.startswith(_SERVING_SCHEMES):
            raise ValueError(
                "`serving` must be gs://bucket/folder or the path of a mounted volume "
                f"(TensorFlow writes to no other object store); got {self.serving!r}"
            )
        if not self.is_shared(self.serving):
            raise ValueError(
                f"`serving` is {self.serving!r}, but no claim in `volumes` is mounted "
                "there, so the next run would not find the model. Use gs://, or add "
                "the claim"
            )
        return self

    def is_shared(self, path: str) -> bool:
        """Returns whether every pod sees `path`: gs://, or in a mounted volume."""
        return path.startswith("gs://") or pods.is_in_volume(path, self.volumes)

    def node(self, node_id: str) -> PodConfig:
        """Returns everything that a node asks for, image and volumes included."""
        sizes = self._profile_node(node_id)
        base = PodConfig(**sizes.model_dump(exclude_defaults=True))
        base = base.model_copy(update={"volumes": self.volumes})
        if node_id == ids.TRAINER:
            base = gke.placed(
                base.model_copy(update={"spot": self.spot}),
                profile=self.profile,
                gpu=self.gpu,
                gpus=self.gpus,
                topology=self.topology,
            )
        node = self._changed(node_id, base)
        return gke.spot(node) if node.spot else node


def load(path: str | pathlib.Path | None, **changes: object) -> KfpConfig:
    """Returns the settings of a cluster; see `pipeline.cluster.config.load`."""
    return config.load(KfpConfig, path, **changes)
