"""Makes what Kubeflow hands to a task into what TFX expects: an ExecutorInput, as JSON.

Every function changes one thing, in place, and says which.
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from pipeline.cluster import local_copies

Json = dict[str, Any]

# Added to every task by Kubeflow 2.5 and later, written by its launcher alone.
LAUNCHER_OUTPUTS = ("executor-logs",)
# Added by it to the metadata of every artifact.
LAUNCHER_METADATA = ("display_name", "store_session_info")
# Inputs of BlessedRanks that may be empty.
BLESSED_MODELS = ("baseline_model", "best_model")

# Artifact types of this project: as they are called in metadata -> their classes.
# TFX itself would try to import the former.
CLASSES: Mapping[str, str] = {"ncf.RunReport": "components.report.spec.RunReport"}


def drop_launcher_outputs(executor_input: Json) -> None:
    """Removes outputs that are not TFX's business."""
    outputs = executor_input.get("outputs", {}).get("artifacts", {})
    for name in LAUNCHER_OUTPUTS:
        outputs.pop(name, None)


def restore_types(executor_input: Json, inputs_spec: Json) -> None:
    """Gives input artifacts, which arrive without one, the type the task declares."""
    declared = inputs_spec.get("artifacts", {})
    for name, artifacts in _lists(executor_input, "inputs"):
        for artifact in artifacts:
            if not any(artifact.get("type", {}).values()):
                artifact["type"] = declared[name]["artifactType"]


def name_classes(executor_input: Json) -> None:
    """Makes TFX find the classes of this project's own artifact types."""
    for side in ("inputs", "outputs"):
        for _, artifacts in _lists(executor_input, side):
            for artifact in artifacts:
                schema = artifact.get("type", {}).get("instanceSchema")
                title = (yaml.safe_load(schema) or {}).get("title") if schema else None
                if isinstance(title, str) and title in CLASSES:
                    artifact["type"] = {"schemaTitle": CLASSES[title]}


def restore_metadata(executor_input: Json) -> None:
    """Removes what the launcher added, unwraps lists and dicts that it wrapped."""
    for _, artifacts in _lists(executor_input, "inputs"):
        for artifact in artifacts:
            metadata = artifact.get("metadata", {})
            for name in LAUNCHER_METADATA:
                metadata.pop(name, None)
            for name, value in metadata.items():
                if isinstance(value, dict) and list(value) in (["list"], ["struct"]):
                    (metadata[name],) = value.values()


def localise(executor_input: Json) -> None:
    """Names the local copies of all artifacts in place of their URIs."""
    for side in ("inputs", "outputs"):
        for _, artifacts in _lists(executor_input, side):
            for artifact in artifacts:
                artifact["uri"] = local_copies.to_local(artifact["uri"])
    outputs = executor_input["outputs"]
    outputs["outputFile"] = local_copies.to_local(outputs["outputFile"])


def drop_empty_baseline(
    executor_input: Json, has_files: Callable[[str], bool] = local_copies.has_files
) -> None:
    """Removes models to beat that have no files: there is none, or none better, yet.

    A missing output is only a warning for Kubeflow and a missing input none at all, so
    an empty folder is all that the next task sees.
    """
    inputs = executor_input.get("inputs", {}).get("artifacts", {})
    for name in BLESSED_MODELS:
        models = inputs.get(name, {}).get("artifacts", [])
        if models and not any(has_files(artifact["uri"]) for artifact in models):
            del inputs[name]


def restore_numbers(executor_input: Json, inputs_spec: Json) -> None:
    """Makes numbers, and whole ones, of those that are declared so.

    JSON knows one kind only, and `tfx run create` sends every parameter as text.

    Raises:
        ValueError: one is no number, or not a whole one.
    """
    values = parameters(executor_input)
    for name, declared in inputs_spec.get("parameters", {}).items():
        kind = declared["parameterType"]
        if name in values and kind in ("NUMBER_INTEGER", "NUMBER_DOUBLE"):
            values[name] = _number(name, values[name], whole=kind == "NUMBER_INTEGER")


def _number(name: str, value: Any, *, whole: bool) -> int | float:
    kind = "a whole number" if whole else "a number"
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError(f"Parameter {name!r} must be {kind}; got {value!r}.") from None
    if not whole:
        return number
    if not number.is_integer():
        raise ValueError(f"Parameter {name!r} must be {kind}; got {value!r}.")
    return int(value) if isinstance(value, int) else int(number)


def parameters(executor_input: Json) -> Json:
    """Returns the task's parameters; changes to the dict change the input."""
    inputs = executor_input.setdefault("inputs", {})
    return inputs.setdefault("parameterValues", {})


def _lists(executor_input: Json, side: str) -> list[tuple[str, list[Json]]]:
    """Returns (name, artifacts) of all inputs or outputs."""
    named = executor_input.get(side, {}).get("artifacts", {})
    return [(name, item.get("artifacts", [])) for name, item in named.items()]
