"""What to run: the typed, validated configuration of the whole pipeline.

Imports neither TFX nor TensorFlow, so that a wrong value is refused within a second.
"""

import difflib
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Literal

import pydantic
import yaml

from components.interactions_example_gen.config import ReadingConfig
from components.pusher.config import PushConfig
from ncf_model.config import Config, ModelConfig, SamplingConfig, TrainConfig
from pipeline.data import bigquery
from pipeline.data.synthetic import SyntheticConfig
from pipeline.evaluation import EvaluationConfig

SHIPPED = pathlib.Path(__file__).parent / "configs"


class DataConfig(ReadingConfig):
    """Which interactions, and how they are read (see `ReadingConfig`).

    Attributes:
        source: `file` reads `dataset`; `bigquery` the result of `query`, on Vertex AI.
        dataset: a name of `pipeline.data.catalogue`, `synthetic`, or a file's path.
        query: a SELECT with the columns user, item, perhaps rating, and timestamp.
        synthetic: size and seed of the data set `synthetic`.
    """

    source: Literal["file", "bigquery"] = "file"
    dataset: str = "ml-100k"
    query: str | None = None
    synthetic: SyntheticConfig = SyntheticConfig()

    @pydantic.model_validator(mode="after")
    def _check_source(self) -> "DataConfig":
        if (self.source == "bigquery") != (self.query is not None):
            raise ValueError(
                "`query` and `source: bigquery` must be set together; got source "
                f"{self.source!r} and query {self.query!r}."
            )
        return self

    @property
    def location(self) -> str:
        """What the parameter `data_path` of a compiled pipeline starts as."""
        return self.dataset if self.query is None else bigquery.PREFIX + self.query

    @property
    def name(self) -> str:
        """What the report calls the data of a compiled pipeline."""
        return self.dataset if self.query is None else self.source

    def reading(self) -> ReadingConfig:
        """Returns the part that InteractionsExampleGen needs."""
        return ReadingConfig(**self.model_dump(include=set(ReadingConfig.model_fields)))


class PipelineConfig(Config):
    """Everything that decides what a run computes; where it runs is not in here.

    Attributes:
        pipeline_name: also the name of the default output folder. Letters, digits and
            hyphens, because Kubernetes objects are named after it.
        seed: of every draw: negatives, initial weights, order of the rows.
    """

    pipeline_name: str = pydantic.Field(
        "ncf", pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$"
    )
    seed: int = pydantic.Field(20240601, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    sampling: SamplingConfig = SamplingConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    evaluation: EvaluationConfig = EvaluationConfig()
    push: PushConfig = PushConfig()

    def trainer_config(self) -> dict[str, Any]:
        """Returns what `ncf_model.trainer.run_fn` trains by; JSON can hold it."""
        return {
            "model": self.model.model_dump(mode="json"),
            "train": self.train.model_dump(mode="json"),
            "sampling": self.sampling.model_dump(mode="json"),
            "seed": self.seed,
        }

    @pydantic.model_validator(mode="after")
    def _check(self) -> "PipelineConfig":
        if self.train.pretrain_epochs and self.model.type != "neumf":
            raise ValueError(
                "`train.pretrain_epochs` trains the two halves of a `neumf` model; got "
                f"`model.type: {self.model.type}`, which is one of them."
            )
        return self


def load(
    path: str | pathlib.Path | None = None,
    overrides: Iterable[str] = (),
    *,
    dataset: str | None = None,
) -> PipelineConfig:
    """Returns the defaults, changed by a YAML file, changed by `a.b=value` overrides.

    Args:
        path: a YAML file, or the name of a shipped one such as `ml-1m.yaml`.
        dataset: takes the place of the file's `data.dataset`.
        overrides: `a.b=value`, the value in YAML's syntax; later ones win.

    Raises:
        ValueError: the file is absent or not a mapping, an override has no `=`, a field
            is unknown, or a value cannot be. The message names the field.
    """
    values = _read(path) if path else {}
    if dataset is not None:
        values["data"] = (values.get("data") or {}) | {"dataset": dataset}
    for override in overrides:
        _apply(values, override)
    try:
        return PipelineConfig.model_validate(values)
    except pydantic.ValidationError as error:
        source = f"{path}: " if path else ""
        problems = "\n".join(_explain(problem) for problem in error.errors())
        raise ValueError(
            f"{source}the configuration is not valid:\n{problems}"
        ) from None


def _read(path: str | pathlib.Path) -> dict[str, Any]:
    file = pathlib.Path(path)
    if not file.exists() and (SHIPPED / file.name).exists():
        file = SHIPPED / file.name
    if not file.exists():
        shipped = sorted(f.name for f in SHIPPED.glob("*.yaml"))
        raise ValueError(f"No config file {path}; shipped with the package: {shipped}.")
    try:
        values = yaml.safe_load(file.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not valid YAML: {error}") from None
    if not isinstance(values or {}, dict):
        raise ValueError(
            f"{file} must hold `field: value` lines; got a {type(values).__name__}."
        )
    return values or {}


def _apply(values: dict[str, Any], override: str) -> None:
    """Sets one field of nested `values`, in place."""
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        raise ValueError(f"An override must be `a.b=value`; got {override!r}.")
    *parents, leaf = name.strip().split(".")
    for parent in parents:
        values = values.setdefault(parent, {})
        if not isinstance(values, dict):
            raise ValueError(f"{override!r}: `{parent}` is a value, not a section.")
    try:
        values[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{override!r} is not valid YAML: {error}") from None


def _explain(problem: Mapping[str, Any]) -> str:
    """Returns one line: the field, what must hold, and what came instead."""
    field = ".".join(str(part) for part in problem["loc"]) or "(top level)"
    if problem["type"] == "value_error":  # Ours, and it says what came.
        return f"  {field}: {problem['msg'].removeprefix('Value error, ')}"
    if problem["type"] != "extra_forbidden":
        return f"  {field}: {problem['msg']}; got {problem['input']!r}."
    known = _fields(problem["loc"][:-1])
    close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}."
    return f"  {field}: no such field; {hint}"


def _fields(path: Iterable[str | int]) -> list[str]:
    model: Any = PipelineConfig
    for part in path:
        model = model.model_fields[part].annotation
    return sorted(model.model_fields)
