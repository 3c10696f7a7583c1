"""From which artifacts a served version was computed, back to the file."""

import dataclasses
import json
import os
import pathlib
import re
from typing import Any

from pipeline.local.store import Artifact, Execution, Store

# Parameters that name what a node read from outside the pipeline, and in that folder.
_SOURCES = ("input_base", "schema_file")
_PATTERNS = "input_config"


@dataclasses.dataclass(frozen=True)
class Step:
    """An artifact, the node that wrote it, and what that node read.

    Attributes:
        artifact: the artifact's type and number in ML Metadata.
        uri: where it is.
        node: the one that wrote the artifact; "" if unknown.
        run: number of the run in which that was.
        source: what the node read from outside the pipeline; "" for nothing.
        inputs: the steps of what it read; empty where `seen` is true.
        seen: whether the artifact stands elsewhere in the tree with all its inputs.
    """

    artifact: str
    uri: str
    node: str = ""
    run: int | None = None
    source: str = ""
    inputs: tuple["Step", ...] = ()
    seen: bool = False

    def to_json(self) -> dict[str, Any]:
        """Returns the tree as plain values."""
        return dataclasses.asdict(self)


def trace(out: pathlib.Path, version: int) -> Step:
    """Returns how `out/serving/<version>` came about.

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


def _version(artifact: Artifact) -> int | None:
    name = os.path.basename(artifact.properties.get("pushed_destination") or "")
    return int(name) if artifact.properties.get("pushed") and name.isdigit() else None


def _step(
    store: Store, artifact: Artifact, runs: dict[int, int], seen: set[int]
) -> Step:
    name = f"{artifact.type} {artifact.id}"
    if artifact.id in seen:
        return Step(name, artifact.uri, seen=True)
    seen.add(artifact.id)
    maker = store.producer(artifact.id)
    if maker is None:
        return Step(name, artifact.uri)
    return Step(
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
    """Returns the names of files of ExampleGen's splits; none for a whole folder."""
    try:
        splits = json.loads(input_config or "{}").get("splits", [])
    except ValueError:
        return []
    found = [str(split.get("pattern", "*")) for split in splits]
    # A name's own brackets came as classes of one character: [[].
    names = [re.sub(r"\[(.)\]", r"\1", pattern) for pattern in found]
    return [name for name in names if name != "*"]
