"""The settings that say where and on what machines a compiled pipeline runs."""

import pathlib
from collections.abc import Mapping
from typing import Any, TypeVar

import pydantic

from ncf_model.config import Config
from pipeline import yaml_values
from pipeline.cluster import machines, node_config, profiles
from pipeline.cluster.machines import Gpu, Topology
from pipeline.cluster.node_config import EVERY_NODE, NodeConfig
from pipeline.config import PipelineConfig
from pipeline.nodes import ids


class ClusterConfig(Config):
    """Where and on what the pipeline runs. What it computes is `PipelineConfig`.

    Attributes:
        image: the container image of all nodes, preferably by digest:
            `name@sha256:...`.
        trainer_image: the container image of Trainer. It must be given for the profiles
            `gpu` and `tpu`, because `image` has no CUDA and no TensorFlow for TPUs.
            Null takes `image`.
        serving: the serving folder, to which Pusher pushes.
        profile: the hardware of Trainer, which decides the tf.distribute strategy and
            the number of GPUs.
        gpu, gpus: kind and number of GPUs, for the profile `gpu`.
        topology: the slice of TPU v5e, one host, for the profile `tpu`.
        spot: whether Trainer runs on a spot machine.
        nodes: node id -> settings that replace those of the profile; `*` is every node.
        cache: whether tasks with the same inputs are taken from the cache. This needs
            an image by digest: a tag can come to mean other code, which the cache would
            not notice.
        beam_args: arguments for Beam of the components that run on it.
    """

    image: str = "ncf-tfx:cpu"
    trainer_image: str | None = None
    serving: str
    profile: profiles.Profile = "cpu"
    gpu: Gpu = "T4"
    gpus: pydantic.PositiveInt = 1
    topology: Topology = "1x1"
    spot: bool = False
    nodes: Mapping[str, NodeConfig] = pydantic.Field(default_factory=dict)
    cache: bool = True
    beam_args: tuple[str, ...] = ("--runner=FnApiRunner", "--sdk_container_image=none")

    @pydantic.model_validator(mode="after")
    def _check_cluster(self) -> "ClusterConfig":
        bucket = self.serving.removeprefix("gs://").split("/")[0]
        if bucket != bucket.lower():
            raise ValueError(
                f"`serving` names no bucket: {bucket!r} is not lower case. Put in yours"
            )
        for image in self._images():
            if image.split() != [image]:
                raise ValueError(
                    f"{image!r} names no image: a name is not empty and has no spaces"
                )
            name = image.split("@")[0]
            if name.rpartition("/")[0] != name.rpartition("/")[0].lower():
                raise ValueError(
                    f"{image!r} names no image: it is not lower case. Put in yours"
                )
        for node_id in self.nodes:
            node_config.check_node_id(node_id)
        if self.profile == "gpu":
            machines.gpu_machine(self.gpu, self.gpus)
        changes = self.nodes.get(ids.TRAINER, NodeConfig())
        if self.profile != "cpu" and not (self.trainer_image or changes.image):
            raise ValueError(
                f"profile {self.profile!r} needs `trainer_image`, the image of that "
                "target of kubeflow/Dockerfile; with `image` alone Trainer would run "
                "without its accelerator"
            )
        return self

    @property
    def strategy(self) -> str:
        """The `train.strategy` that goes with the profile."""
        return profiles.strategy(self.profile, self.gpus)

    @property
    def train(self) -> dict[str, Any]:
        """The fields of `train` that go with the profile.

        The number of GPUs is one of these fields, so that a pod fails if TensorFlow
        cannot use its GPUs, and does not train on the CPU for hours.
        """
        fields: dict[str, Any] = {"strategy": self.strategy}
        trainer = self.nodes.get(ids.TRAINER, NodeConfig())
        if self.profile == "gpu" and "accelerator" not in trainer.model_fields_set:
            fields["num_gpus"] = self.gpus
        return fields

    @property
    def cacheable(self) -> bool:
        """Whether tasks may be cached."""
        return self.cache and all("@sha256:" in image for image in self._images())

    @property
    def beam_arguments(self) -> tuple[str, ...]:
        """The arguments for Beam of the components that run on it."""
        return self.beam_args

    def _images(self) -> list[str]:
        others = [self.trainer_image, *(node.image for node in self.nodes.values())]
        return [self.image, *filter(None, others)]

    def node(self, node_id: str) -> NodeConfig:
        """Returns all settings of a node, its image included."""
        return self._changed(node_id, self._profile_node(node_id))

    def _profile_node(self, node_id: str) -> NodeConfig:
        """Returns the settings of a node by the profile alone."""
        trainer = node_id == ids.TRAINER
        node = profiles.node_config(
            node_id,
            profile=self.profile,
            gpu=self.gpu,
            gpus=self.gpus,
            topology=self.topology,
        )
        image = self.trainer_image if trainer and self.trainer_image else self.image
        return node.model_copy(update={"image": image})

    def _changed(self, node_id: str, node: node_config.Node) -> node_config.Node:
        """Returns `node` as changed by `nodes`: first by `*`, then by its own entry."""
        for key in (EVERY_NODE, node_id):
            if key in self.nodes:
                node = node_config.merge(node, self.nodes[key])
        return node


def with_train(config: PipelineConfig, fields: Mapping[str, Any]) -> PipelineConfig:
    """Returns `config` with the fields of `train` that the platform decides.

    Raises:
        ValueError: other fields of `config` do not go with these.
    """
    values = config.model_dump()
    values["train"] |= fields
    try:
        return PipelineConfig.model_validate(values)
    except pydantic.ValidationError as error:
        problems = "\n".join(
            "  " + problem["msg"].removeprefix("Value error, ")
            for problem in error.errors(include_url=False)
        )
        raise ValueError(
            f"The platform sets {dict(fields)} in `train`, which does not go with the "
            f"rest of the configuration:\n{problems}"
        ) from None


# Fields of accelerators -> the profile that uses them.
_PROFILE_OF = {"gpu": "gpu", "gpus": "gpu", "topology": "tpu"}

ConfigType = TypeVar("ConfigType", bound=ClusterConfig)


def load(
    kind: type[ConfigType], path: str | pathlib.Path | None, **changes: object
) -> ConfigType:
    """Returns the defaults, changed by a YAML file, changed by `changes`.

    Args:
        kind: the class of the settings.
        path: a YAML file with fields of that class; None takes the defaults.
        **changes: fields, such as `image="..."`; None leaves a field as it is.

    Raises:
        ValueError: there is no such file, a field is unknown, a value is impossible, or
            an accelerator does not go with the profile.
    """
    values: dict[str, Any] = {}
    if path is not None:
        file = pathlib.Path(path)
        if not file.exists():
            raise ValueError(f"No platform file {file}.")
        try:
            values = yaml_values.read(file.read_text(encoding="utf-8")) or {}
        except (OSError, ValueError) as error:
            raise ValueError(
                f"The platform file {file} cannot be read: {error}"
            ) from None
        if not isinstance(values, dict):
            raise ValueError(f"{file} must hold `field: value` lines.")
    given = {name: value for name, value in changes.items() if value is not None}
    own = values.get("profile")
    values |= given
    try:
        settings = kind.model_validate(values)
    except pydantic.ValidationError as error:
        problems = "\n".join(
            f"  {'.'.join(map(str, p['loc'])) or '(top level)'}: "
            f"{p['msg'].removeprefix('Value error, ')}"
            + (f"; got {p['input']!r}." if p["loc"] else ".")
            for p in error.errors(include_url=False)
        )
        where = f"{path}: " if path else ""
        raise ValueError(f"{where}the platform is not valid:\n{problems}") from None
    # A file may keep the GPUs of its own profile if the command line names another.
    _check_used(settings, given if own not in (None, settings.profile) else values)
    return settings


def _check_used(settings: ClusterConfig, given: Mapping[str, object]) -> None:
    """Raises ValueError if an accelerator was named that the profile leaves out."""
    for name in sorted(_PROFILE_OF.keys() & given.keys()):
        if settings.profile != _PROFILE_OF[name]:
            raise ValueError(
                f"`{name}` must go with profile {_PROFILE_OF[name]!r}; the profile is "
                f"{settings.profile!r}, so Trainer would run without it. Change the "
                f"profile, or drop `{name}`."
            )
