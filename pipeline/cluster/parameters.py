"""The runtime parameters, which can be set for a run without compiling anew.

TFX's own RuntimeParameter loses its default on compilation, and cannot be inside a JSON
value. So the pipeline is compiled with the values of the configuration, and this module
makes parameters of some of them: the compiled value becomes the default, the task gets
the parameter as one more input, and the container's entry point puts the value where it
belongs.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.config import PipelineConfig, load
from pipeline.evaluation import GATE_TOP_K
from pipeline.nodes import ids

DATA_PATH, SPAN, DATA_VERSION = "data_path", "span", "data_version"
LATEST_SPAN = -1

# The flag of the entry point whose value is JSON: {parameter: place}.
PLACES_FLAG = "--parameter_places"

Path = tuple[str | int, ...]

# Parameter -> the field of the configuration that has the same limits.
_FIELDS = {
    "epochs": "train.epochs",
    "learning_rate": "train.learning_rate",
    "batch_size": "train.batch_size",
    "min_hit_rate": "evaluation.gate.min_hit_rate",
}
_BOUND = ("threshold", "value_threshold", "lower_bound")
_KFP_TYPES = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}


class PropertyPlace(NamedTuple):
    """Where the value of a parameter goes.

    Attributes:
        task: the id of the node that uses the value.
        property: the execution property of that node that is the value, or contains it.
        path: the place inside the JSON of that property; () if the value is the whole
            property.
    """

    task: str
    property: str
    path: Path = ()


class Parameter(NamedTuple):
    """One runtime parameter.

    Attributes:
        places: where the value goes. The entry point handles places without a
            `property` itself.
    """

    name: str
    default: str | int | float
    description: str
    places: tuple[PropertyPlace, ...]


def parameters(
    config: PipelineConfig, eval_config: Mapping[str, Any]
) -> list[Parameter]:
    """Returns the runtime parameters, with defaults from the configuration.

    Args:
        config: the configuration that the pipeline is compiled with.
        eval_config: the compiled `eval_config` of Evaluator.
    """
    gate = Parameter(
        "min_hit_rate",
        config.evaluation.gate.min_hit_rate,
        f"The HR@{GATE_TOP_K} a model must reach to be pushed, in [0, 1].",
        (PropertyPlace(ids.EVALUATOR, "eval_config", floor_path(eval_config)),),
    )
    return [*_of_data(config), *_of_training(config), gate]


def _of_data(config: PipelineConfig) -> list[Parameter]:
    example_gen = (PropertyPlace(ids.EXAMPLE_GEN, ""),)
    return [
        Parameter(
            DATA_PATH,
            config.data.location,
            "File or folder of interactions (gs://... or a path in a mounted volume), "
            "or the name of a public data set. {SPAN} in it stands for a number.",
            (*example_gen, PropertyPlace(ids.REPORT, "dataset")),
        ),
        Parameter(
            SPAN,
            LATEST_SPAN,
            "The number that {SPAN} in data_path stands for; -1 is the highest.",
            example_gen,
        ),
        Parameter(
            DATA_VERSION,
            "",
            "Any text that is another one whenever the data under data_path is.",
            example_gen,
        ),
    ]


def _of_training(config: PipelineConfig) -> list[Parameter]:
    epochs = Parameter(
        "epochs",
        config.train.epochs,
        "Passes over the training data.",
        _epochs_places(config),
    )
    history = config.model.history
    section = ("train",) if history is None else ("model", "history")
    learning_rate = Parameter(
        "learning_rate",
        (history or config.train).learning_rate,
        "Adam's step size.",
        _training(config, *section, "learning_rate"),
    )
    if history:  # Its `users_per_batch` may be `auto`, which no number stands for.
        return [epochs, learning_rate]
    batch_size = Parameter(
        "batch_size",
        config.train.batch_size,
        "Rows per step, over all replicas.",
        _training(config, "train", "batch_size"),
    )
    return [epochs, learning_rate, batch_size]


def _training(config: PipelineConfig, *path: str) -> tuple[PropertyPlace, ...]:
    """Returns the places of a setting of the training, in Trainer and in Tuner."""
    tasks = (ids.TRAINER,) if config.tune is None else (ids.TUNER, ids.TRAINER)
    return tuple(PropertyPlace(task, "custom_config", path) for task in tasks)


def _epochs_places(config: PipelineConfig) -> tuple[PropertyPlace, ...]:
    places = _training(config, "train", "epochs")
    if config.sampling.mode == "materialised":
        return (*places, PropertyPlace(ids.SAMPLING, "epochs"))
    return places


def check(values: Mapping[str, Any]) -> None:
    """Raises ValueError if a value is one that the configuration would refuse.

    The task that uses the value would refuse it, too, but perhaps after hours.
    """
    fields = {_FIELDS[name]: values[name] for name in _FIELDS if name in values}
    try:
        load(overrides=[f"{field}={value}" for field, value in fields.items()])
    except ValueError as error:
        raise ValueError(f"The parameters cannot be used: {error}") from None


def floor_path(eval_config: Mapping[str, Any]) -> Path:
    """Returns the path of the floor of HR@10 in TFMA's EvalConfig (as JSON).

    Raises:
        ValueError: there is not exactly one such floor.
    """
    found = [
        ("metrics_specs", s, "metrics", m, "per_slice_thresholds", t, *_BOUND)
        for s, specification in enumerate(eval_config["metrics_specs"])
        for m, metric in enumerate(specification["metrics"])
        for t, limit in enumerate(metric.get("per_slice_thresholds", ()))
        if metric["class_name"] == "HitRateAtK" and limit["slicing_specs"] == [{}]
    ]
    if len(found) != 1:
        raise ValueError(
            "Exactly one HitRateAtK of Evaluator's eval_config must have a limit for "
            f"all data; {len(found)} have. Look at pipeline.evaluation."
        )
    return found[0]


def expose(spec: dict[str, Any], chosen: Iterable[Parameter]) -> None:
    """Turns values of a compiled pipeline into runtime parameters, in place.

    Args:
        spec: the pipeline specification (schema 2.1) as a dict.
        chosen: the parameters.
    """
    places: dict[str, dict[str, Any]] = {}
    root = spec["root"].setdefault("inputDefinitions", {}).setdefault("parameters", {})
    for parameter in chosen:
        kind = _KFP_TYPES[type(parameter.default)]
        root[parameter.name] = {
            "parameterType": kind,
            "defaultValue": parameter.default,
            "isOptional": True,
            "description": parameter.description,
        }
        for place in parameter.places:
            _add_input(spec, place.task, parameter.name, kind)
            if place.property:
                at = [place.property, *place.path]
                places.setdefault(place.task, {})[parameter.name] = at
    for task, table in places.items():
        executor = spec["deploymentSpec"]["executors"][f"{task}_executor"]
        args = executor["container"]["args"]
        args += [PLACES_FLAG, json.dumps(table, sort_keys=True)]


def _add_input(spec: dict[str, Any], task: str, name: str, kind: str) -> None:
    definitions = spec["components"][task]["inputDefinitions"]["parameters"]
    definitions[name] = {"parameterType": kind}
    inputs = spec["root"]["dag"]["tasks"][task]["inputs"]["parameters"]
    inputs[name] = {"componentInputParameter": name}


def put(
    properties: dict[str, Any], values: Mapping[str, Any], places: Mapping[str, Path]
) -> None:
    """Puts the values of a task's parameters where they belong, in place.

    Args:
        properties: execution properties of the task.
        values: parameter -> value.
        places: parameter -> property, followed by the path inside its JSON.

    Raises:
        ValueError: there is no such place.

    Example:
        >>> properties = {"custom_config": '{"train": {"epochs": 20}}'}
        >>> place = ("custom_config", "train", "epochs")
        >>> put(properties, {"epochs": 3}, {"epochs": place})
        >>> properties
        {'custom_config': '{"train": {"epochs": 3}}'}
    """
    for name, place in places.items():
        key, path = str(place[0]), place[1:]
        if name not in values:
            continue
        if not path:
            properties[key] = values[name]
            continue
        tree = json.loads(properties[key])
        try:
            _replace(tree, path, values[name])
        except (KeyError, IndexError, TypeError):
            raise ValueError(
                f"Parameter {name!r} has no place {path} in {key!r}: the image and the "
                "compiled pipeline do not fit. Compile with the image's version."
            ) from None
        properties[key] = json.dumps(tree)


def _replace(tree: Any, path: Path, value: Any) -> None:
    for step in path[:-1]:
        tree = tree[step]
    tree[path[-1]]  # Raises KeyError if there is no such value yet.
    tree[path[-1]] = value
