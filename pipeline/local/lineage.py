"""Finds the artifacts from which a served version was computed, back to the file."""

import dataclasses
import json
import os
import pathlib
import re
from typing import Any

from pipeline.local.store import Execution, Store, StoredArtifact

# Parameters that name the input of a node from outside the pipeline, and in its folder.
_SOURCES = ("input_base", "schema_file")
_PATTERNS = "input_config"


@dataclasses.dataclass(frozen=True)
class LineageStep:
    """An artifact, the node that wrote it, and what that node read.

    Attributes:
        artifact: the artifact's type and number in ML Metadata.
        uri: the artifact's folder.
        node: the node that wrote the artifact; "" if unknown.
        run: number of the run in which the node wrote it.
        source: the input of the node from outside the pipeline; "" without one.
        inputs: a step for each artifact that the node read; [] where `seen` is true.
        seen: whether the artifact is elsewhere in the tree with all its inputs.
    """

    artifact: str
    uri: str
    node: str = ""
    run: int | None = None
    source: str = ""
    inputs: tuple["LineageStep", ...] = ()
    seen: bool = False

    def to_json(self) -> dict[str, Any]:
        """Returns the tree as values that JSON can hold."""
        return dataclasses.asdict(self)


def trace(out: pathlib.Path, version: int) -> LineageStep:
    """Returns the steps by which `out/serving/<version>` was computed.

    Raises:
        ValueError: no run in `out` pushed that version.
    """
    store = Store(out)
    pushed = [a for a in store.artifacts.values() if a.type == "PushedModel"]
    numbers = {_version(artifact): artifact for artifact in pushed}
    if version not in numbers:
        known = ", ".join(str(number) for number in sorted(filter(None, numbers)))
        raise ValueError(
            f"No run in {out} pushed version {version}; pushed were: "
            f"{known or 'none'}. A version that `ncf rollback` made is traced by the "
            "number of the version that it restored."
        )
    runs = {e.id: run.number for run in store.runs for e in run.executions}
    return _step(store, numbers[version], runs, seen=set())


def _version(artifact: StoredArtifact) -> int | None:
    name = os.path.basename(artifact.properties.get("pushed_destination") or "")
    return int(name) if artifact.properties.get("pushed") and name.isdigit() else None


def _step(
    store: Store, artifact: StoredArtifact, runs: dict[int, int], seen: set[int]
) -> LineageStep:
    name = f"{artifact.type} {artifact.id}"
    if artifact.id in seen:
        return LineageStep(name, artifact.uri, seen=True)
    seen.add(artifact.id)
    maker = store.producer(artifact.id)
    if maker is None:
        return LineageStep(name, artifact.uri)
    return LineageStep(
        artifact=name,
        uri=artifact.uri,
        node=maker.node,
        run=runs.get(maker.id),
        source=_source(maker),
        inputs=tuple(
            _step(store, store.artifacts[id_], runs, seen)
            for id_ in dict.fromkeys(maker.inputs)
            if id_ in store.artifacts
        ),
    )


def _source(maker: Execution) -> str:
    found = [maker.properties.get(name) for name in _SOURCES]
    named = [str(value) for value in found if value]
    patterns = _patterns(maker.properties.get(_PATTERNS))
    if len(named) == len(patterns) == 1:
        return os.path.normpath(os.path.join(named[0], patterns[0]))
    return ", ".join(named)


def _patterns(input_config: Any) -> list[str]:
    """Returns the patterns of ExampleGen's splits; [] for a whole folder."""
    try:
        splits = json.loads(input_config or "{}").get("splits", [])
    except ValueError:
        return []
    found = [str(split.get("pattern", "*")) for split in splits]
    # Brackets in a name were written as classes of one character: [[].
    names = [re.sub(r"\[(.)\]", r"\1", pattern) for pattern in found]
    return [name for name in names if name != "*"]
