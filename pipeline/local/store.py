"""Reads the records of the runs in a folder from ML Metadata, without TFX.

This module uses the client of ML Metadata, not the tables of the SQLite file: TFX
itself writes with that client, it works when the tables change, and its import takes
less than a second.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from ml_metadata import errors
from ml_metadata.metadata_store import metadata_store
from ml_metadata.proto import metadata_store_pb2 as proto

FILE = "metadata.sqlite"
_STATES = proto.Execution.State
# The last kind of event is a Resolver's output, which another node wrote.
_OUTPUTS = (proto.Event.OUTPUT,)
_INPUTS = (
    *(proto.Event.INPUT, proto.Event.DECLARED_INPUT),
    proto.Event.INTERNAL_OUTPUT,
)


@dataclasses.dataclass(frozen=True)
class StoredArtifact:
    """An artifact in the store.

    Attributes:
        id: the artifact's id in the store.
        type: the artifact's type, such as `Model`.
        uri: the artifact's folder.
        live: whether the artifact is not marked as deleted.
        properties: the artifact's custom properties.
    """

    id: int
    type: str
    uri: str
    live: bool
    properties: Mapping[str, Any]


@dataclasses.dataclass(frozen=True)
class Execution:
    """An execution of a node in a run.

    Attributes:
        id: the execution's id in the store.
        node: the node's id in the pipeline.
        state: `COMPLETE`, `CACHED`, `FAILED`, `RUNNING` or `CANCELED`.
        started: when the execution started, seconds since 1970.
        ended: when the execution changed last, seconds since 1970.
        inputs: ids of the artifacts that were read.
        outputs: ids of the artifacts that were written or, if cached, used again.
        properties: the node's parameters.
    """

    id: int
    node: str
    state: str
    started: float
    ended: float
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    properties: Mapping[str, Any]

    @property
    def seconds(self) -> float:
        """How long the execution took."""
        return self.ended - self.started


@dataclasses.dataclass(frozen=True)
class RecordedRun:
    """A run of the pipeline.

    Attributes:
        id: the id of the run's context in the store.
        number: the run's number in the folder; the oldest run is 1.
        name: the name of the run's context in the store.
        started: when the run started, seconds since 1970.
        executions: the executions, in the order in which they started.
    """

    id: int
    number: int
    name: str
    started: float
    executions: tuple[Execution, ...]

    def execution(self, node: str) -> Execution | None:
        """Returns the execution of `node`; None if the run ended before."""
        found = [e for e in self.executions if e.node == node]
        return found[-1] if found else None


class Store:
    """The metadata of the runs in one folder, read when it is opened."""

    def __init__(self, out: pathlib.Path) -> None:
        """Reads `metadata.sqlite` in `out`.

        Raises:
            ValueError: there is no such file, or it is damaged.
        """
        file = out / FILE
        if not file.exists():
            raise ValueError(
                f"No {FILE} in {out}, so no run was recorded there. Name the folder of "
                "a run with --out."
            )
        self._file = file
        try:
            self._store = _connect(file, proto.SqliteMetadataSourceConfig.READONLY)
            self.artifacts = {a.id: _artifact(a) for a in self._store.get_artifacts()}
            self._events = self._read_events()
            self._nodes = self._read_nodes()
        except (errors.StatusError, RuntimeError) as error:
            raise ValueError(
                f"{file} cannot be read; it is damaged, or of another program: {error}."
            ) from error

    @functools.cached_property
    def runs(self) -> list[RecordedRun]:
        """All runs, the oldest first."""
        contexts = self._contexts("pipeline_run")
        return [
            RecordedRun(
                id=context.id,
                number=number,
                name=context.name,
                started=context.create_time_since_epoch / 1000,
                executions=tuple(
                    self.executions[e.id]
                    for e in sorted(
                        self._store.get_executions_by_context(context.id),
                        key=lambda e: e.id,
                    )
                ),
            )
            for number, context in enumerate(contexts, start=1)
        ]

    @functools.cached_property
    def executions(self) -> dict[int, Execution]:
        """Every execution by its id."""
        return {e.id: self._execution(e) for e in self._store.get_executions()}

    def producer(self, artifact_id: int) -> Execution | None:
        """Returns the execution that computed an artifact; None if it is unknown."""
        found = [
            execution
            for execution in self.executions.values()
            if artifact_id in execution.outputs and execution.state != "CACHED"
        ]
        return min(found, key=lambda execution: execution.id) if found else None

    def of_type(self, ids: Iterable[int], type_name: str) -> list[StoredArtifact]:
        """Returns the artifacts `ids` that have a type."""
        found = (self.artifacts[id_] for id_ in ids if id_ in self.artifacts)
        return [artifact for artifact in found if artifact.type == type_name]

    def ancestors(
        self,
        ids: Iterable[int],
        *,
        without: Mapping[str, Collection[str]] | None = None,
    ) -> set[int]:
        """Returns the artifacts `ids` and all from which they were computed.

        Args:
            ids: of artifacts.
            without: node -> types of its inputs that are not followed.
        """
        found: set[int] = set()
        left = list(ids)
        while left:
            if (id_ := left.pop()) in found:
                continue
            found.add(id_)
            if maker := self.producer(id_):
                left_out = (without or {}).get(maker.node, ())
                left += [
                    one
                    for one in maker.inputs
                    if one not in self.artifacts
                    or self.artifacts[one].type not in left_out
                ]
        return found

    def mark_deleted(self, ids: Iterable[int]) -> None:
        """Marks the artifacts `ids` as deleted."""
        store = _connect(self._file, proto.SqliteMetadataSourceConfig.READWRITE)
        artifacts = store.get_artifacts_by_id(list(ids))
        for artifact in artifacts:
            artifact.state = proto.Artifact.DELETED
        if artifacts:
            store.put_artifacts(artifacts)

    def _contexts(self, type_name: str) -> list[Any]:
        found = self._store.get_contexts_by_type(type_name)
        return sorted(found, key=lambda context: context.id)

    def _read_events(self) -> dict[int, list[Any]]:
        events: dict[int, list[Any]] = {}
        ids = [e.id for e in self._store.get_executions()]
        for event in self._store.get_events_by_execution_ids(ids) if ids else ():
            events.setdefault(event.execution_id, []).append(event)
        return events

    def _read_nodes(self) -> dict[int, str]:
        """Returns the node of each execution; contexts are named `pipeline.node`."""
        return {
            execution.id: context.name.rpartition(".")[2]
            for context in self._contexts("node")
            for execution in self._store.get_executions_by_context(context.id)
        }

    def _execution(self, execution: Any) -> Execution:
        events = self._events.get(execution.id, [])
        inputs, outputs = (
            tuple(event.artifact_id for event in events if event.type in types)
            for types in (_INPUTS, _OUTPUTS)
        )
        return Execution(
            id=execution.id,
            node=self._nodes.get(execution.id, execution.type.rpartition(".")[2]),
            state=_STATES.Name(execution.last_known_state),
            started=execution.create_time_since_epoch / 1000,
            ended=execution.last_update_time_since_epoch / 1000,
            inputs=inputs,
            outputs=outputs,
            properties=_plain(execution.custom_properties),
        )


def _connect(file: pathlib.Path, mode: int) -> Any:
    config = proto.ConnectionConfig()
    config.sqlite.filename_uri = str(file)
    config.sqlite.connection_mode = mode
    return metadata_store.MetadataStore(config)


def _artifact(artifact: Any) -> StoredArtifact:
    states = proto.Artifact.State
    return StoredArtifact(
        id=artifact.id,
        type=artifact.type,
        uri=artifact.uri,
        live=artifact.state in (states.LIVE, states.UNKNOWN),
        properties=_plain(artifact.custom_properties),
    )


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the values of properties without the messages around them."""
    kinds = {name: value.WhichOneof("value") for name, value in properties.items()}
    return {
        name: getattr(properties[name], kind) if kind else None
        for name, kind in kinds.items()
    }
