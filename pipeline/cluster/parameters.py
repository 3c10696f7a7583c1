"""The pipeline's runtime parameters: what can be set for a run without compiling anew.

TFX's own RuntimeParameter loses its default on compilation and cannot stand inside a
JSON value. So the pipeline is compiled with the configuration's values, and this module
lifts some of them out: the compiled value becomes the default, the task receives the
parameter as one more input, and the container's entry point puts it in its place.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from pipeline.config import PipelineConfig
from pipeline.evaluation import GATE_TOP_K
from pipeline.nodes import ids

DATA_PATH, SPAN, DATA_VERSION = "data_path", "span", "data_version"
LATEST_SPAN = -1

# Flag of the entry point: JSON, {parameter: place}.
PLACES_FLAG = "--parameter_places"

Path = tuple[str | int, ...]

_BOUND = ("threshold", "value_threshold", "lower_bound")
_KFP_TYPES = {str: "STRING", int: "NUMBER_INTEGER", float: "NUMBER_DOUBLE"}


class Place(NamedTuple):
    """Where a parameter's value goes.

    Attributes:
        task: the node that takes it.
        property: of the node's execution properties, the one it becomes or is part of.
        path: inside the JSON of that property; empty if it is the whole property.
    """

    task: str
    property: str
    path: Path = ()


class Parameter(NamedTuple):
    """One runtime parameter.

    Attributes:
        places: where its value goes; without a `property` the entry point knows.
    """

    name: str
    default: str | int | float
    description: str
    places: tuple[Place, ...]


def parameters(
    config: PipelineConfig, eval_config: Mapping[str, Any]
) -> list[Parameter]:
    """Returns the runtime parameters, with defaults from the configuration.

    Args:
        config: what the pipeline was compiled with.
        eval_config: Evaluator's compiled `eval_config`.
    """
    gate = Parameter(
        "min_hit_rate",
        config.evaluation.gate.min_hit_rate,
        f"The HR@{GATE_TOP_K} a model must reach to be pushed, in [0, 1].",
        (Place(ids.EVALUATOR, "eval_config", floor_path(eval_config)),),
    )
    return [*_of_data(config), *_of_training(config), gate]


def _of_data(config: PipelineConfig) -> list[Parameter]:
    example_gen = (Place(ids.EXAMPLE_GEN, ""),)
    return [
        Parameter(
            DATA_PATH,
            config.data.location,
            "File or folder of interactions (gs://... or a path in a mounted volume), "
            "or the name of a public data set. {SPAN} in it stands for a number.",
            (*example_gen, Place(ids.REPORT, "dataset")),
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
    return [
        Parameter(
            "epochs",
            config.train.epochs,
            "Passes over the training data.",
            _epochs_places(config),
        ),
        Parameter(
            "learning_rate",
            config.train.learning_rate,
            "Adam's step size.",
            _train(config, "learning_rate"),
        ),
        Parameter(
            "batch_size",
            config.train.batch_size,
            "Rows per step, over all replicas.",
            _train(config, "batch_size"),
        ),
    ]


def _train(config: PipelineConfig, field: str) -> tuple[Place, ...]:
    """Returns the places of a field of `train`; a search starts from the same."""
    tasks = (ids.TRAINER,) if config.tune is None else (ids.TUNER, ids.TRAINER)
    return tuple(Place(task, "custom_config", ("train", field)) for task in tasks)


def _epochs_places(config: PipelineConfig) -> tuple[Place, ...]:
    places = _train(config, "epochs")
    if config.sampling.mode == "materialised":
        return (*places, Place(ids.SAMPLING, "epochs"))
    return places


def floor_path(eval_config: Mapping[str, Any]) -> Path:
    """Returns where in TFMA's EvalConfig (as JSON) the floor of HR@10 stands.

    Raises:
        ValueError: the floor is not there exactly once.
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
    """Puts the parameters of a task where they belong, in place.

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
    tree[path[-1]]  # It must be there already; setting alone would not tell.
    tree[path[-1]] = value
