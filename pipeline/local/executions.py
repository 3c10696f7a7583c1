"""Reads from ML Metadata what a run did, node by node.

Reports are made from these records, and not from what the terminal showed.
"""

import dataclasses
from collections.abc import Iterable, Sequence
from typing import Any

from ml_metadata.proto import metadata_store_pb2

_STATES = metadata_store_pb2.Execution
_OUTPUTS = (metadata_store_pb2.Event.OUTPUT, metadata_store_pb2.Event.DECLARED_OUTPUT)


@dataclasses.dataclass(frozen=True, kw_only=True)
class NodeRun:
    """One node in one run of the pipeline.

    Attributes:
        node: the node's id.
        cached: whether an earlier execution's result was used.
        finished: whether there is a result.
        seconds: how long the execution took that made the result, in this run or, if
            `cached`, in an earlier one.
    """

    node: str
    cached: bool
    finished: bool
    seconds: float


def latest_run(store: Any, *, after: int = 0) -> int | None:
    """Returns the id of the newest run's context; None if none is newer than `after`.

    Args:
        store: a `MetadataStore`.
        after: an earlier result of this function.
    """
    ids = [context.id for context in store.get_contexts_by_type("pipeline_run")]
    newest = max(ids, default=0)
    return newest if newest > after else None


def of_run(store: Any, run: int) -> list[NodeRun]:
    """Returns the nodes of the run with context id `run`, in order of their start."""
    executions = sorted(store.get_executions_by_context(run), key=lambda e: e.id)
    originals = _originals(store, [e for e in executions if _cached(e)])
    return [
        NodeRun(
            node=_node_id(store, execution.id),
            cached=_cached(execution),
            finished=_cached(execution) or _complete(execution),
            seconds=_seconds(originals.get(execution.id, execution)),
        )
        for execution in executions
    ]


def seconds(store: Any, run: int) -> dict[str, float]:
    """Returns how long each node took that has a result in the run with that id."""
    return {node.node: node.seconds for node in of_run(store, run) if node.finished}


def unfinished(nodes: Iterable[str], runs: Iterable[NodeRun]) -> list[str]:
    """Returns the `nodes` that have no result in `runs`, in order."""
    finished = {run.node for run in runs if run.finished}
    return [node for node in nodes if node not in finished]


def _originals(store: Any, cached: Sequence[Any]) -> dict[int, Any]:
    """Returns id of a cached execution -> the execution that made its result."""
    if not cached:
        return {}
    used: dict[int, int] = {}  # artifact -> the cached execution
    for event in store.get_events_by_execution_ids([e.id for e in cached]):
        if event.type in _OUTPUTS:
            used[event.artifact_id] = event.execution_id
    makers: dict[int, int] = {}  # the cached execution -> the first with its artifact
    for event in store.get_events_by_artifact_ids(list(used)) if used else ():
        if event.type in _OUTPUTS:
            of = used[event.artifact_id]
            makers[of] = min(makers.get(of, event.execution_id), event.execution_id)
    found = {e.id: e for e in store.get_executions_by_id(list(set(makers.values())))}
    return {of: found[maker] for of, maker in makers.items() if maker in found}


def _cached(execution: Any) -> bool:
    return bool(execution.last_known_state == _STATES.CACHED)


def _complete(execution: Any) -> bool:
    return bool(execution.last_known_state == _STATES.COMPLETE)


def _seconds(execution: Any) -> float:
    started = execution.create_time_since_epoch
    return max(0, execution.last_update_time_since_epoch - started) / 1000


def _node_id(store: Any, execution: int) -> str:
    """Returns the node's id; TFX names its context `<pipeline>.<node>`."""
    for context in store.get_contexts_by_execution(execution):
        if context.type == "node":
            return str(context.name).rpartition(".")[2]
    return f"execution {execution}"
