"""ML Metadata says what a run did; each store here is written as TFX writes it."""

import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2 as pb

from pipeline.local import executions

COMPLETE, CACHED = pb.Execution.COMPLETE, pb.Execution.CACHED
RUNNING, FAILED = pb.Execution.RUNNING, pb.Execution.FAILED


class _Store:
    """A store in memory, and what TFX puts into it."""

    def __init__(self):
        connection = pb.ConnectionConfig()
        connection.fake_database.SetInParent()
        self.store = metadata_store.MetadataStore(connection)
        types = {
            name: self.store.put_context_type(pb.ContextType(name=name))
            for name in ("pipeline_run", "node")
        }
        self._context_types = types
        self._execution_type = self.store.put_execution_type(
            pb.ExecutionType(name="component")
        )
        self._artifact_type = self.store.put_artifact_type(pb.ArtifactType(name="A"))

    def _context(self, kind, name):
        for known in self.store.get_contexts_by_type(kind):
            if known.name == name:
                return known
        context = pb.Context(type_id=self._context_types[kind], name=name)
        [context.id] = self.store.put_contexts([context])
        return context

    def artifact(self):
        artifact = pb.Artifact(type_id=self._artifact_type, uri="x")
        [artifact.id] = self.store.put_artifacts([artifact])
        return artifact

    def execution(self, run, node, state, *, artifact=None):
        execution = pb.Execution(
            type_id=self._execution_type, last_known_state=pb.Execution.RUNNING
        )
        contexts = [
            self._context("pipeline_run", run),
            self._context("node", f"my-pipeline.{node}"),
        ]
        execution.id, *_ = self.store.put_execution(execution, [], contexts)
        execution.last_known_state = state
        pairs = []
        if artifact is not None:
            event = pb.Event(type=pb.Event.OUTPUT)
            pairs = [(artifact, event)]
        self.store.put_execution(execution, pairs, [])
        return execution.id


@pytest.fixture
def filled():
    return _Store()


def test_nodes_in_order_with_what_became_of_them(filled):
    filled.execution("one", "Transform", COMPLETE)
    filled.execution("one", "Trainer", FAILED)
    filled.execution("one", "Pusher", RUNNING)
    run = executions.latest_run(filled.store)
    runs = executions.of_run(filled.store, run)
    assert [(r.node, r.finished, r.cached) for r in runs] == [
        ("Transform", True, False),
        ("Trainer", False, False),
        ("Pusher", False, False),
    ]
    nodes = ["Report", "Transform", "Trainer"]
    assert executions.unfinished(nodes, runs) == ["Report", "Trainer"]


def test_a_cached_node_has_the_seconds_of_the_execution_that_made_its_result(
    filled, monkeypatch
):
    artifact = filled.artifact()
    made = filled.execution("one", "Trainer", COMPLETE, artifact=artifact)
    used = filled.execution("two", "Trainer", CACHED, artifact=artifact)
    again = filled.execution("three", "Trainer", CACHED, artifact=artifact)
    seconds = {made: 45.0, used: 0.2, again: 0.1}
    monkeypatch.setattr(executions, "_seconds", lambda e: seconds[e.id])
    run = executions.latest_run(filled.store)
    assert executions.of_run(filled.store, run) == [
        executions.NodeRun(node="Trainer", cached=True, finished=True, seconds=45.0)
    ]


def test_seconds_are_from_start_to_end():
    execution = pb.Execution(
        create_time_since_epoch=1_000, last_update_time_since_epoch=3_500
    )
    assert executions._seconds(execution) == 2.5


def test_the_newest_run_if_there_is_one(filled):
    assert executions.latest_run(filled.store) is None
    filled.execution("one", "Transform", COMPLETE)
    first = executions.latest_run(filled.store)
    assert executions.latest_run(filled.store, after=first) is None
    filled.execution("two", "Transform", COMPLETE)
    assert executions.latest_run(filled.store, after=first) > first
