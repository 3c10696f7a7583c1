"""Adds a task that runs when all others have ended, in success or failure.

Both services support this form: the pipeline itself becomes one task with its own
graph, and the last task waits for that task, whether it succeeds or fails. The last
task is told which. TFX has exit handlers, too, but these break with runtime parameters,
so this module changes the compiled specification.
"""

import json
from collections.abc import Mapping
from typing import Any

MAIN = "main"
STATUS = "status"

Json = dict[str, Any]


def graph(spec: Json) -> Json:
    """Returns the tasks of the pipeline by name, with or without an exit task."""
    wrapped = spec.get("components", {}).get(MAIN)
    return (wrapped or spec["root"])["dag"]["tasks"]


def add(
    spec: Json,
    name: str,
    container: Json,
    *,
    inputs: Mapping[str, Json] | None = None,
    status_input: str = STATUS,
) -> None:
    """Adds the exit task to an otherwise complete specification, in place.

    Args:
        spec: the specification.
        name: of the task.
        container: the container that the task runs.
        inputs: the task's inputs by name: `parameterType` and `constant`.
        status_input: name of the input in which the container gets the final status, as
            JSON.
    """
    _wrap(spec)
    given = dict(inputs or {})
    declared = {
        key: {"parameterType": one["parameterType"]} for key, one in given.items()
    }
    declared[status_input] = {"parameterType": "TASK_FINAL_STATUS", "isOptional": True}
    values: Json = {
        key: {"runtimeValue": {"constant": one["constant"]}}
        for key, one in given.items()
    }
    values[status_input] = {"taskFinalStatus": {"producerTask": MAIN}}
    spec["deploymentSpec"]["executors"][f"{name}_executor"] = {"container": container}
    spec["components"][name] = {
        "executorLabel": f"{name}_executor",
        "inputDefinitions": {"parameters": declared},
    }
    spec["root"]["dag"]["tasks"][name] = {
        "taskInfo": {"name": name},
        "componentRef": {"name": name},
        "dependentTasks": [MAIN],
        "triggerPolicy": {"strategy": "ALL_UPSTREAM_TASKS_COMPLETED"},
        "inputs": {"parameters": values},
    }


def _wrap(spec: Json) -> None:
    """Makes the whole pipeline one task with the same parameters, in place."""
    declared = spec["root"].get("inputDefinitions", {}).get("parameters", {})
    kinds = {key: {"parameterType": v["parameterType"]} for key, v in declared.items()}
    spec["components"][MAIN] = {
        "inputDefinitions": {"parameters": kinds},
        "dag": spec["root"].pop("dag"),
    }
    passed = {key: {"componentInputParameter": key} for key in declared}
    main = {
        "taskInfo": {"name": MAIN},
        "componentRef": {"name": MAIN},
        "inputs": {"parameters": passed},
    }
    spec["root"]["dag"] = {"tasks": {MAIN: main}}


def status(text: str) -> tuple[str, str]:
    """Returns the state and the run's name of a final status.

    Example:
        >>> status('{"state": "FAILED", "pipelineJobResourceName": "ncf-1"}')
        ('FAILED', 'ncf-1')
    """
    found = json.loads(text)
    return found.get("state", "unknown"), found.get("pipelineJobResourceName", "")
