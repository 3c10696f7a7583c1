"""Reads the record of a run from ML Metadata, in the form that the report shows."""

import datetime
from collections.abc import Callable

from components.report.document import Node, Run, RunArtifact
from pipeline.local.store import Execution, RecordedRun, Store

# A function of two times, seconds since 1970: the peak of memory in MB, or None.
MemoryBetween = Callable[[float, float], float | None]


def describe(
    store: Store,
    run: RecordedRun,
    *,
    command: str = "",
    memory: MemoryBetween = lambda start, end: None,
) -> Run:
    """Returns the nodes of `run` and the artifacts between them.

    For a node whose earlier result was used again, the seconds are those of the
    execution that computed that result.

    Args:
        store: the metadata of the runs.
        run: the run to describe.
        command: the command that started the run.
        memory: the memory measured while the run went on.
    """
    used = [id_ for execution in run.executions for id_ in execution.inputs] + [
        id_ for execution in run.executions for id_ in execution.outputs
    ]
    return Run(
        id=run.name,
        started=_utc(run.started),
        command=command,
        nodes=[_node(store, execution, memory) for execution in run.executions],
        artifacts=[
            RunArtifact(number=id_, type=found.type, uri=found.uri)
            for id_ in sorted(set(used))
            for found in [store.artifacts[id_]]
        ],
    )


def _node(store: Store, execution: Execution, memory: MemoryBetween) -> Node:
    cached = execution.state == "CACHED"
    computed = execution
    if cached and execution.outputs:
        computed = store.producer(execution.outputs[0]) or execution
    return Node(
        name=execution.node,
        seconds=round(computed.seconds, 2),
        cached=cached,
        memory_mb=None if cached else memory(execution.started, execution.ended),
        inputs=sorted(set(execution.inputs)),
        outputs=sorted(set(execution.outputs)),
    )


def _utc(seconds: float) -> str:
    time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
