"""The settings from which nodes are made: configuration, locations, variants."""

import dataclasses
import os
import pathlib
from collections.abc import Mapping
from typing import Any

from tfx.components.trainer.component import Trainer

from components.pusher.component import Pusher
from pipeline.config import PipelineConfig

SCHEMA = str(pathlib.Path(__file__).resolve().parents[1] / "schema" / "schema.pbtxt")


@dataclasses.dataclass(frozen=True, kw_only=True)
class Locations:
    """Where a run reads and writes: local paths, or URIs of an object store.

    Attributes:
        interactions: the file of interactions.
        pipeline_root: folder of all artifacts.
        serving: folder to which blessed models are pushed, one numbered folder each.
        schema: the reviewed schema of the interactions.
        titles: a CSV of `item_id,title` for bulk recommendations, or "".
        titles_digest: the digest of that file's content, or "".
    """

    interactions: str
    pipeline_root: str
    serving: str
    schema: str = SCHEMA
    titles: str = ""
    titles_digest: str = ""

    @property
    def checkpoints(self) -> str:
        """The folder from which a killed training continues, beside `serving`."""
        return self._beside_serving("checkpoints")

    @property
    def tuning(self) -> str:
        """The folder from which a killed search continues, beside `serving`."""
        return self._beside_serving("tuning")

    def _beside_serving(self, name: str) -> str:
        return os.path.join(os.path.dirname(self.serving.rstrip("/")), name)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Variants:
    """Which components train and push; a service can have its own.

    Attributes:
        trainer: the class of the component Trainer: TFX's, or one that starts a job
            elsewhere.
        trainer_config: further `custom_config` of that component.
        pusher: the class of the component Pusher: ours, or one that also deploys.
        pusher_config: further `custom_config` of that component.
    """

    trainer: type[Trainer] = Trainer
    trainer_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    pusher: type[Pusher] = Pusher
    pusher_config: Mapping[str, Any] = dataclasses.field(default_factory=dict)


TFX_OWN = Variants()


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeSettings:
    """All settings that decide which nodes there are, and their parameters.

    Attributes:
        config: what to compute.
        locations: where to read and write.
        ask_metadata: whether earlier models are found in ML Metadata. False looks into
            the serving folder, for runners that know no Resolver.
        variants: which components train and push.
    """

    config: PipelineConfig
    locations: Locations
    ask_metadata: bool = True
    variants: Variants = TFX_OWN
