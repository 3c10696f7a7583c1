"""Reads a compiled pipeline for its submission, and checks the parameters."""

import difflib
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from pipeline.cluster import buckets, exit_task
from pipeline.cluster.parameters import (
    DATA_PATH,
    DATA_VERSION,
    LATEST_SPAN,
    SPAN,
    check,
)
from pipeline.nodes import ids

# Nodes whose results depend on more than their inputs: on files, or the serving folder.
NEVER_CACHED = (
    ids.EXAMPLE_GEN,
    ids.SHRINK_GUARD,
    ids.SERVED_EVALUATION,
    ids.BASELINE,
    ids.PUSHER,
)

_READERS = {"STRING": str, "NUMBER_INTEGER": int, "NUMBER_DOUBLE": float}


def read(file: pathlib.Path) -> list[dict[str, Any]]:
    """Returns the documents of a compiled pipeline: specification, platform.

    Raises:
        ValueError: the file is no compiled pipeline.
    """
    if file.is_dir() or not file.exists():
        raise ValueError(
            f"No compiled pipeline {file}. Make one: ncf compile kfp -o {file}"
        )
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is not valid YAML: {error}") from None
    first = documents[0] if documents else None
    if not isinstance(first, dict) or "pipelineInfo" not in first:
        raise ValueError(
            f"{file} must be a compiled pipeline; it has no `pipelineInfo`. Make one: "
            f"ncf compile kfp -o {file}"
        )
    return documents


def parse_parameters(spec: dict[str, Any], given: Sequence[str]) -> dict[str, Any]:
    """Returns name -> value, of the type that the pipeline declares.

    Args:
        spec: the pipeline specification.
        given: `name=value`, as on the command line.

    Raises:
        ValueError: there is no such parameter, or the value is of another type or
            impossible.
    """
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"A parameter must be `name=value`; got {text!r}.")
        if name not in declared:
            raise ValueError(_unknown(name, declared))
        kind = declared[name]["parameterType"]
        try:
            values[name] = _READERS[kind](value)
        except ValueError:
            wanted = {"NUMBER_INTEGER": "a whole number"}.get(kind, "a number")
            raise ValueError(
                f"Parameter {name!r} must be {wanted}; got {value!r}."
            ) from None
    check(values)
    return values


def cache_data(spec: dict[str, Any], values: dict[str, Any]) -> bool:
    """Lets the reading of data be cached, in place, if the run says which data.

    By default the data are read anew in each run, because only that shows whether they
    changed.

    Returns:
        Whether the specification was changed.
    """
    tasks = exit_task.graph(spec)
    others = [task.get("cachingOptions") for task in tasks.values()]
    if not values.get(DATA_VERSION) or not any(others):
        return False
    tasks[ids.EXAMPLE_GEN]["cachingOptions"] = {"enableCache": True}
    return True


def check_schedule(values: Mapping[str, Any]) -> None:
    """Raises ValueError if scheduled runs would all read the same data."""
    version, span = values.get(DATA_VERSION), values.get(SPAN, LATEST_SPAN)
    if version:
        raise ValueError(
            f"A schedule must not set `{DATA_VERSION}`, with which each run takes the "
            f"data of the first from the cache; got {version!r}. Leave it out."
        )
    if span != LATEST_SPAN:
        raise ValueError(
            f"A schedule must leave `{SPAN}` at {LATEST_SPAN}, the newest that there "
            f"is when a run starts; got {span}."
        )


def needs(spec: dict[str, Any], values: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Returns gs:// URI -> the permissions that the tasks need in that bucket.

    Args:
        spec: the pipeline specification.
        values: parameters of the run.
    """
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    data = values.get(DATA_PATH, declared.get(DATA_PATH, {}).get("defaultValue"))
    needed = {data: buckets.READ, serving(spec): buckets.WRITE | buckets.GET_BUCKET}
    return {uri: set_ for uri, set_ in needed.items() if str(uri).startswith("gs://")}


def serving(spec: dict[str, Any]) -> str | None:
    """Returns the serving folder of the compiled pipeline; None without Pusher."""
    task = exit_task.graph(spec).get(ids.BASELINE, {})
    found = task.get("inputs", {}).get("parameters", {}).get("serving", {})
    return found.get("runtimeValue", {}).get("constant")


def set_caching(spec: dict[str, Any], enabled: bool) -> None:
    """Lets all tasks be cached that can be, or none of them, in place."""
    for name, task in exit_task.graph(spec).items():
        task.pop("cachingOptions", None)
        if enabled and name not in NEVER_CACHED:
            task["cachingOptions"] = {"enableCache": True}


def _unknown(name: str, declared: dict[str, Any]) -> str:
    close = difflib.get_close_matches(name, declared, n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    known = ", ".join(
        f"{known}={item.get('defaultValue')!r}" for known, item in declared.items()
    )
    return (
        f"The pipeline has no parameter {name!r}.{hint} It has, with these defaults: "
        f"{known}. Anything else is set when compiling, with --set a.b=value."
    )
