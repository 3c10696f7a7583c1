"""Where the pipeline runs: the typed, validated settings of Kubeflow Pipelines."""

import pathlib
from typing import Any, TypeVar

import pydantic
import yaml

from ncf_model.config import Config
from pipeline.cluster import node_config, profiles
from pipeline.cluster.node_config import NodeConfig, VolumeConfig

_SERVING_SCHEMES = ("gs://", "/")


class KfpConfig(Config):
    """Where and on what the pipeline runs. What it computes is `PipelineConfig`.

    Attributes:
        image: the container image of all nodes, best by digest: `name@sha256:...`.
        trainer_image: that of Trainer, such as the one with CUDA; null is `image`.
        serving: Pusher's folder: gs://..., or a path below a mounted volume. Pods do
            not share any other path.
        volumes: claims mounted into every node.
        profile: what Trainer runs on; its tf.distribute strategy and number of GPUs
            follow.
        gpu, gpus: kind and number of GPUs, for profile `gpu`.
        topology: the v5e slice, one host, for profile `tpu`.
        spot: Trainer runs on a spot machine.
        nodes: node id -> what it asks for, in place of the profile's.
        cache: tasks with the same inputs are not run again. Only with an image by
            digest: a tag can come to mean other code, and the cache would not notice.
        beam_args: of the components that run on Beam.
    """

    image: str = "ncf-tfx:cpu"
    trainer_image: str | None = None
    serving: str = "/mnt/ncf/serving"
    volumes: tuple[VolumeConfig, ...] = (
        VolumeConfig(claim="ncf", mount_path="/mnt/ncf"),
    )
    profile: profiles.Profile = "cpu"
    gpu: profiles.Gpu = "T4"
    gpus: pydantic.PositiveInt = 1
    topology: profiles.Topology = "1x1"
    spot: bool = False
    nodes: dict[str, NodeConfig] = pydantic.Field(default_factory=dict)
    cache: bool = True
    beam_args: tuple[str, ...] = ("--runner=FnApiRunner", "--sdk_container_image=none")

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
        bucket = self.serving.removeprefix("gs://").split("/")[0]
        if bucket != bucket.lower():
            raise ValueError(
                f"`serving` names no bucket: {bucket!r} is not lower case. Put in yours"
            )
        for image in self._images():
            name = image.split("@")[0]
            if name.rpartition("/")[0] != name.rpartition("/")[0].lower():
                raise ValueError(
                    f"{image!r} names no image: it is not lower case. Put in yours"
                )
        for node_id in self.nodes:
            node_config.check_node_id(node_id)
        return self

    def is_shared(self, path: str) -> bool:
        """Returns whether every pod sees `path`: gs://, or in a mounted volume."""
        if path.startswith("gs://"):
            return True
        parents = {str(p) for p in (pathlib.PurePosixPath(path) / "x").parents}
        return any(volume.mount_path.rstrip("/") in parents for volume in self.volumes)

    @property
    def strategy(self) -> str:
        """The `train.strategy` that goes with the profile."""
        return profiles.strategy(self.profile, self.gpus)

    @property
    def train(self) -> dict[str, Any]:
        """The fields of `train` that go with the profile.

        The number of GPUs is one of them, so that a pod whose GPUs TensorFlow cannot
        use fails, and does not train on its CPU.
        """
        fields: dict[str, Any] = {"strategy": self.strategy}
        trainer = self.nodes.get(profiles.TRAINER, NodeConfig())
        if self.profile == "gpu" and "accelerator" not in trainer.model_fields_set:
            fields["num_gpus"] = self.gpus
        return fields

    @property
    def cacheable(self) -> bool:
        """Whether tasks may be cached."""
        return self.cache and all("@sha256:" in image for image in self._images())

    @property
    def beam_arguments(self) -> tuple[str, ...]:
        """Of the components that run on Beam, whatever they follow from."""
        return self.beam_args

    def _images(self) -> list[str]:
        others = [self.trainer_image, *(node.image for node in self.nodes.values())]
        return [self.image, *filter(None, others)]

    def node(self, node_id: str) -> NodeConfig:
        """Returns everything that a node asks for, image and volumes included."""
        base = profiles.node_config(
            node_id,
            profile=self.profile,
            gpu=self.gpu,
            gpus=self.gpus,
            topology=self.topology,
        )
        trainer = node_id == profiles.TRAINER
        image = self.trainer_image if trainer and self.trainer_image else self.image
        base = base.model_copy(
            update={
                "image": image,
                "volumes": self.volumes,
                "spot": trainer and self.spot,
            }
        )
        node = node_config.merge(base, self.nodes.get(node_id, NodeConfig()))
        return profiles.spot(node) if node.spot else node


ConfigType = TypeVar("ConfigType", bound=KfpConfig)


def load(path: str | pathlib.Path | None, **changes: object) -> KfpConfig:
    """Returns the settings of a cluster; see `load_as`."""
    return load_as(KfpConfig, path, **changes)


def load_as(
    kind: type[ConfigType], path: str | pathlib.Path | None, **changes: object
) -> ConfigType:
    """Returns the defaults, changed by a YAML file, changed by `changes`.

    Args:
        kind: `KfpConfig`, or what another runner makes of it.
        path: a YAML file of its fields; null for the defaults.
        **changes: fields, such as `image="..."`; those that are None are left alone.

    Raises:
        ValueError: no such file, an unknown field, or a value that cannot be.
    """
    values: dict[str, Any] = {}
    if path is not None:
        file = pathlib.Path(path)
        if not file.exists():
            raise ValueError(f"No platform file {file}.")
        values = yaml.safe_load(file.read_text(encoding="utf-8")) or {}
        if not isinstance(values, dict):
            raise ValueError(f"{file} must hold `field: value` lines.")
    values |= {name: value for name, value in changes.items() if value is not None}
    try:
        return kind.model_validate(values)
    except pydantic.ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, p['loc'])) or '(top level)'}: "
            f"{p['msg'].removeprefix('Value error, ')}"
            + (f"; got {p['input']!r}." if p["loc"] else ".")
            for p in error.errors(include_url=False)
        )
        where = f"{path}: " if path else ""
        raise ValueError(f"{where}the platform is not valid:\n{problems}") from None
