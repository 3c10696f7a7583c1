"""What to run: the typed, validated configuration of the whole pipeline.

Imports neither TFX nor TensorFlow, so that a wrong value is refused within a second.
"""

import difflib
import pathlib
import reprlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

import pydantic

from components.interactions_example_gen.config import (
    AUTO,
    DriftConfig,
    ReadingConfig,
    SpansConfig,
)
from components.pusher.config import PushConfig
from ncf_model.config import (
    Config,
    ModelConfig,
    SamplingConfig,
    TrainConfig,
    check_together,
)
from ncf_model.tuning import space
from ncf_model.tuning.config import TuneConfig
from pipeline import yaml_values
from pipeline.data import bigquery
from pipeline.data.synthetic import SyntheticConfig
from pipeline.evaluation import EvaluationConfig

SHIPPED = pathlib.Path(__file__).parent / "configs"
_SHORT = reprlib.Repr()  # Shortens values in messages.
_SHORT.maxstring = _SHORT.maxother = 100
# An override that is not valid YAML but begins so was meant to be YAML.
_BEGINS_YAML = ("[", "{", '"', "'")
_LONGEST = 800  # At most so many characters of a check's message are shown.
_LARGEST_FILE = 1_000_000  # in characters


class DataConfig(ReadingConfig):
    """Which interactions are read, and how (see `ReadingConfig`).

    Attributes:
        source: `file` reads `dataset`; `bigquery` reads the result of `query`, on
            Vertex AI.
        dataset: the name of a known data set such as `ml-100k`, `synthetic`, or the
            path of a file or folder. In the path `{SPAN}`, or `{YYYY}`, `{MM}` and
            `{DD}`, stand for the number or the date of each day.
        query: a SELECT with the columns user, item, timestamp and, if there are
            ratings, rating.
        titles: a file of the items' titles; null for none. `auto` takes the file that
            MovieLens has beside its ratings. `columns.title` names the column, in that
            file or, without such a file, in the interactions. Titles are shown, never
            learned.
        max_shrink: the run stops before Trainer if a larger fraction of the users or
            items is gone since the model in service was evaluated; 1 never stops it.
        spans: which days are read, where `dataset` has `{SPAN}` or a date in it.
        drift: limits to how far the newest day may be from the days before it; null
            does not compare them.
        synthetic: size and seed of the data set `synthetic`.
    """

    source: Literal["file", "bigquery"] = "file"
    dataset: str = "ml-100k"
    query: str | None = None
    titles: str | None = AUTO
    max_shrink: float = pydantic.Field(0.3, ge=0, le=1)
    spans: SpansConfig = SpansConfig()
    drift: DriftConfig | None = None
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
        """The default of the parameter `data_path` of a compiled pipeline."""
        return self.dataset if self.query is None else bigquery.PREFIX + self.query

    @property
    def name(self) -> str:
        """The name of the data in the report of a compiled pipeline."""
        return self.dataset if self.query is None else self.source

    def reading(self) -> ReadingConfig:
        """Returns the settings for InteractionsExampleGen, without those of titles."""
        needed = self.model_dump(include=set(ReadingConfig.model_fields))
        needed["columns"]["title"] = None
        return ReadingConfig(**needed)


class PipelineConfig(Config):
    """Everything that decides what a run computes; where it runs is not in here.

    Attributes:
        pipeline_name: the name of the pipeline and a part of the name of the default
            output folder. At most 63 letters, digits and hyphens, because Kubernetes
            objects are named after it.
        seed: the seed of all random numbers: negatives, initial weights, order of the
            rows.
        tune: a search for better hyperparameters before each training; null trains with
            the configured ones. `ncf tune` searches once, and writes a configuration
            with the best.
    """

    pipeline_name: str = pydantic.Field(
        "ncf", pattern="^[a-z0-9]([a-z0-9-]*[a-z0-9])?$", max_length=63
    )
    seed: int = pydantic.Field(20240601, ge=0, lt=2**31)
    data: DataConfig = DataConfig()
    sampling: SamplingConfig = SamplingConfig()
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    tune: TuneConfig | None = None
    evaluation: EvaluationConfig = EvaluationConfig()
    push: PushConfig = PushConfig()

    def trainer_config(self) -> dict[str, Any]:
        """Returns the settings for `ncf_model.trainer.run_fn`; JSON can hold them."""
        return {
            "model": self.model.model_dump(mode="json"),
            "train": self._train_settings(),
            "sampling": self.sampling.model_dump(mode="json"),
            "seed": self.seed,
        }

    def _train_settings(self) -> dict[str, Any]:
        """Returns `train`, without fields of warm starts if there is none.

        Models in the cache thus stay valid when such a field is added.
        """
        of_warm = {"warm_start", "warm_epochs", "warm_rate", "cold_beside"}
        unused = of_warm if self.train.warm_start is None else None
        return self.train.model_dump(mode="json", exclude=unused)

    def searched(self) -> space.Space:
        """Returns the fields that `tune` searches; {} where `tune` is null."""
        if self.tune is None:
            return {}
        return space.of(self.tune, self.model, self.sampling)

    @pydantic.model_validator(mode="after")
    def _check(self) -> "PipelineConfig":
        check_together(self.model, self.train, self.sampling)
        if self.train.pretrain_epochs and self.model.type != "neumf":
            raise ValueError(
                "`train.pretrain_epochs` trains the two halves of a `neumf` model; got "
                f"`model.type: {self.model.type}`, which is one of them."
            )
        if self.tune is not None:
            self.tune.objective_of(self.model, self.sampling)
            space.check(self.searched(), self.trainer_config())
        return self


def load(
    path: str | pathlib.Path | None = None,
    overrides: Iterable[str] = (),
    *,
    dataset: str | None = None,
) -> PipelineConfig:
    """Returns the defaults, changed by a YAML file, changed by `a.b=value` overrides.

    Args:
        path: a YAML file, or the name of a shipped file, `ml-1m.yaml` or `ml-1m`.
        dataset: replaces `data.dataset` of the file; None does not.
        overrides: `a.b=value`, the value in YAML's syntax; a later one wins.

    Raises:
        ValueError: the file is absent or not a mapping, an override has no `=`, a field
            is unknown, or a value is impossible. The message names the field.
    """
    values = _read(path) if path is not None else {}
    if dataset is not None:
        _apply(values, "data.dataset", dataset)
    for override in overrides:
        _apply(values, *_parsed(override))
    source = f"{path}: " if path else ""
    try:
        loaded = PipelineConfig.model_validate(values)
        problems = list(_taken_for_numbers(values, loaded, ""))
    except pydantic.ValidationError as error:
        problems = [_explain(problem) for problem in error.errors()]
    if problems:
        raise ValueError(
            f"{source}the configuration is not valid:\n" + "\n".join(problems)
        )
    return loaded


def _read(path: str | pathlib.Path) -> dict[str, Any]:
    """Returns the values in a file; a bare name can be that of a shipped file."""
    if not str(path):
        raise ValueError("The config file must have a name; got ''.")
    file = pathlib.Path(path)
    try:
        if not file.is_file() and file.name == str(path):
            for name in (file.name, f"{file.name}.yaml"):
                file = SHIPPED / name if (SHIPPED / name).is_file() else file
        if file.is_dir():
            raise ValueError(f"The config file must be a file; {path} is a folder.")
        with open(file, encoding="utf-8") as f:
            text = f.read(_LARGEST_FILE + 1)  # A device would never end.
        if len(text) > _LARGEST_FILE:
            raise ValueError(
                f"The config file must have at most {_LARGEST_FILE:,} characters; "
                f"{path} has more."
            )
    except FileNotFoundError:
        shipped = sorted(f.name for f in SHIPPED.glob("*.yaml"))
        raise ValueError(
            f"No config file {path}; shipped with the package: {shipped}."
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        said = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        raise ValueError(
            f"The config file {_SHORT.repr(str(path))} cannot be read: {said}."
        ) from None
    try:
        values = yaml_values.read(text)
    except ValueError as error:
        raise ValueError(f"{file} is {error}") from None
    if not isinstance(values or {}, dict):
        raise ValueError(
            f"{file} must hold `field: value` lines; got a {type(values).__name__}."
        )
    return values or {}


def _parsed(override: str) -> tuple[str, Any]:
    name, equals, text = override.partition("=")
    if not equals or not name.strip():
        said = _SHORT.repr(override)
        raise ValueError(f"An override must be `a.b=value`; got {said}.")
    try:
        return name.strip(), yaml_values.read(text)
    except ValueError as error:
        is_text = isinstance(error, yaml_values.NotYamlError)
        if is_text and not text.lstrip().startswith(_BEGINS_YAML):
            return name.strip(), text  # Such as `,` and `%d.%m.%Y`, which people mean.
        raise ValueError(f"{_SHORT.repr(override)} is {error}") from None


def _apply(values: dict[str, Any], name: str, value: Any) -> None:
    """Sets the field `name`, such as `a.b`, of nested `values`, in place."""
    *parents, leaf = name.split(".")
    for parent in parents:
        if values.get(parent) is None:
            values[parent] = {}
        values = values[parent]
        if not isinstance(values, dict):
            raise ValueError(
                f"`{name}` cannot be set: `{parent}` is a value, not a section; got "
                f"{_SHORT.repr(values)}."
            )
    values[leaf] = value


def _taken_for_numbers(given: Any, taken: Any, name: str) -> Iterator[str]:
    """Yields an error for each true or false that was read as 1 or 0."""
    if isinstance(given, dict):
        for key, value in given.items():
            part = taken.get(key) if isinstance(taken, dict) else getattr(taken, key)
            yield from _taken_for_numbers(value, part, f"{name}.{key}".lstrip("."))
    elif isinstance(given, list) and isinstance(taken, tuple | list):
        for value, part in zip(given, taken, strict=False):
            yield from _taken_for_numbers(value, part, name)
    elif isinstance(given, bool) and not isinstance(taken, bool):
        yield f"  {name}: must not be true or false; got {str(given).lower()}."


def _explain(problem: Mapping[str, Any]) -> str:
    """Returns one line: the field, what must hold, and what came instead."""
    field = ".".join(str(part)[:60] for part in problem["loc"]) or "(top level)"
    if problem["type"] == "value_error":  # Our own check's message.
        return f"  {field}: {_cut(problem['msg'].removeprefix('Value error, '))}"
    if problem["type"] != "extra_forbidden":
        return f"  {field}: {problem['msg']}; got {_SHORT.repr(problem['input'])}."
    known = _fields(problem["loc"][:-1])
    close = difflib.get_close_matches(str(problem["loc"][-1]), known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known are {', '.join(known)}."
    return f"  {field}: no such field; {hint}"


def _cut(message: str) -> str:
    """Returns a message without the middle of a very long value."""
    if len(message) <= _LONGEST:
        return message
    return f"{message[: _LONGEST // 2]} ... {message[-_LONGEST // 2 :]}"


def _fields(path: Iterable[str | int]) -> list[str]:
    model: Any = PipelineConfig
    for part in path:
        field = model.model_fields.get(part) if hasattr(model, "model_fields") else None
        model = field and field.annotation
    return sorted(getattr(model, "model_fields", ()))
