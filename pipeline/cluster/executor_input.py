"""Turns the ExecutorInput that Kubeflow gives to a task into one for TFX, as JSON.

Every function changes one thing of the ExecutorInput, in place.
"""

from collections.abc import Callable, Mapping
from typing import Any

import yaml

from pipeline.cluster import local_copies

Json = dict[str, Any]

# An output that Kubeflow 2.5 and later add to every task; its launcher writes it.
LAUNCHER_OUTPUTS = ("executor-logs",)
# A key that Kubeflow's launcher adds to the metadata of every artifact.
LAUNCHER_METADATA = ("display_name", "store_session_info")
# Inputs of BlessedRanks that may be empty.
BLESSED_MODELS = ("baseline_model", "best_model")

# Artifact types of this project: name in metadata -> class. TFX itself would try to
# import the name.
CLASSES: Mapping[str, str] = {"ncf.RunReport": "components.report.spec.RunReport"}


def drop_launcher_outputs(executor_input: Json) -> None:
    """Removes the outputs that only Kubeflow's launcher writes."""
    outputs = executor_input.get("outputs", {}).get("artifacts", {})
    for name in LAUNCHER_OUTPUTS:
        outputs.pop(name, None)


def restore_types(executor_input: Json, inputs_spec: Json) -> None:
    """Gives input artifacts, which come without a type, the one the task declares."""
    declared = inputs_spec.get("artifacts", {})
    for name, artifacts in _lists(executor_input, "inputs"):
        for artifact in artifacts:
            if not any(artifact.get("type", {}).values()):
                artifact["type"] = declared[name]["artifactType"]


def name_classes(executor_input: Json) -> None:
    """Names the classes of this project's own artifact types, so TFX finds them."""
    for side in ("inputs", "outputs"):
        for _, artifacts in _lists(executor_input, side):
            for artifact in artifacts:
                schema = artifact.get("type", {}).get("instanceSchema")
                title = (yaml.safe_load(schema) or {}).get("title") if schema else None
                if isinstance(title, str) and title in CLASSES:
                    artifact["type"] = {"schemaTitle": CLASSES[title]}


def restore_metadata(executor_input: Json) -> None:
    """Removes metadata that the launcher added, and unwraps its lists and dicts."""
    for _, artifacts in _lists(executor_input, "inputs"):
        for artifact in artifacts:
            metadata = artifact.get("metadata", {})
            for name in LAUNCHER_METADATA:
                metadata.pop(name, None)
            for name, value in metadata.items():
                if isinstance(value, dict) and list(value) in (["list"], ["struct"]):
                    (metadata[name],) = value.values()


def localise(executor_input: Json) -> None:
    """Replaces the URIs of all artifacts by the paths of their local copies."""
    for side in ("inputs", "outputs"):
        for _, artifacts in _lists(executor_input, side):
            for artifact in artifacts:
                artifact["uri"] = local_copies.to_local(artifact["uri"])
    outputs = executor_input["outputs"]
    outputs["outputFile"] = local_copies.to_local(outputs["outputFile"])


def drop_empty_baseline(
    executor_input: Json, has_files: Callable[[str], bool] = local_copies.has_files
) -> None:
    """Removes models to beat that have no files, because there is no such model.

    Kubeflow only warns of a missing output, and not at all of a missing input, so the
    next task sees an empty folder.
    """
    inputs = executor_input.get("inputs", {}).get("artifacts", {})
    for name in BLESSED_MODELS:
        models = inputs.get(name, {}).get("artifacts", [])
        if models and not any(has_files(artifact["uri"]) for artifact in models):
            del inputs[name]


def restore_numbers(executor_input: Json, inputs_spec: Json) -> None:
    """Converts parameters to the numbers, or whole numbers, that are declared.

    JSON has one kind of number only, and `tfx run create` sends parameters as text.

    Raises:
        ValueError: a value is no number, or not a whole number.
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
