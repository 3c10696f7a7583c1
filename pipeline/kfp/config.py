"""The typed, validated settings of a pipeline on Kubeflow Pipelines."""

import pathlib
import posixpath
from collections.abc import Mapping
from typing import Any, Literal

import pydantic

from components.kubeflow_pusher.config import RegistryConfig
from ncf_model.config import Config
from pipeline.cluster import config
from pipeline.kfp import gke, pods
from pipeline.kfp.names import DataKey, Name
from pipeline.kfp.pods import PodConfig, VolumeConfig
from pipeline.nodes import ids

_SERVING_SCHEMES = ("gs://", "/")


class NotifyConfig(Config):
    """The webhook, such as Slack's, that is told how a run has ended.

    Attributes:
        secret: name of the Kubernetes secret with the webhook's URL, in the namespace
            of the runs.
        key: the key of the URL in that secret.
        when: `failure` tells of runs that did not succeed, `always` of all runs.
    """

    secret: Name
    key: DataKey = "url"
    when: Literal["failure", "always"] = "failure"


class KfpConfig(config.ClusterConfig):
    """Where and on what the pipeline runs on Kubernetes; see also `ClusterConfig`.

    Attributes:
        serving: the serving folder: gs://..., or a path below a mounted volume. Pods do
            not share any other path.
        volumes: volume claims that every node mounts. By default it is the claim `ncf`
            at `/mnt/ncf`, or none if `serving` is in a bucket.
        nodes: node id -> settings of the node's pod; `*` is every node.
        run_timeout_s: after so many seconds the whole run is ended. Kubeflow before
            2.17 refuses a pipeline with this setting.
        notify: the webhook that is told how a run has ended; null tells none.
        model_registry: Kubeflow's Model Registry, in which each pushed version is
            registered; null registers none.
    """

    serving: str = "/mnt/ncf/serving"
    volumes: tuple[VolumeConfig, ...] = (
        VolumeConfig(claim="ncf", mount_path="/mnt/ncf"),
    )
    nodes: Mapping[str, PodConfig] = pydantic.Field(default_factory=dict)
    run_timeout_s: pydantic.PositiveInt | None = None
    notify: NotifyConfig | None = None
    model_registry: RegistryConfig | None = None

    @pydantic.model_validator(mode="before")
    @classmethod
    def _mount_what_is_needed(cls, values: Any) -> Any:
        """Drops the default claim where nothing is in it: pods would wait for it."""
        if isinstance(values, dict) and str(values.get("serving")).startswith("gs://"):
            return {"volumes": (), **values}
        return values

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
        if not self.is_shared(posixpath.dirname(self.serving.rstrip("/"))):
            raise ValueError(
                f"`serving` is {self.serving!r}, but must be a folder in the bucket or "
                "volume: Trainer's checkpoints go into a folder beside it"
            )
        return self

    def is_shared(self, path: str) -> bool:
        """Returns whether every pod sees `path`: gs://, or in a mounted volume."""
        return path.startswith("gs://") or pods.is_in_volume(path, self.volumes)

    def node(self, node_id: str) -> PodConfig:
        """Returns all settings of a node, image and volumes included."""
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
