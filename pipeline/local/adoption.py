"""Models in the serving folder that ML Metadata knows nothing of are entered into it.

After `ncf run --fresh-metadata`, records removed by hand, or under another pipeline's
name, the resolvers would find no model in service, and the first new one would take its
place unjudged. And records of versions would name folders that a new model gets, too.
The same where a folder was moved, so that no artifact is where the records say.
"""

import os
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import types
from tfx.types import standard_artifacts

from components.pusher.blessing import BLESSED_FILE
from ncf_model import features
from ncf_model.serving import folders, versions
from pipeline.local import trust

NODE = "ServedModel"


def adopt(store: Any, *, pipeline: str, root: str, serving: str) -> Iterator[str]:
    """Enters the model in service and the best others; yields what to log.

    Their versions' records name the new artifacts then. Records of other versions that
    the store does not know name none.

    Args:
        store: a `MetadataStore`. No run may be under way.
        pipeline: the pipeline's name; models of another one are unknown to it.
        root: the folder of artifacts.
        serving: where pushed models are.
    """
    known = _known(store, pipeline)
    unknown = {
        number: record
        for number, record in versions.records(serving).items()
        if record.get("model_uri") and record["model_uri"] not in known
    }
    if not unknown:
        return
    for version in _wanted(serving, unknown):
        noted = _enter(store, version, pipeline=pipeline, root=root)
        for number in [
            n for n, r in unknown.items() if r["digest"] == _digest(version)
        ]:
            versions.annotate(serving, number, **noted)
            del unknown[number]
        yield (
            f"ML Metadata did not know the model of version {version.number} in "
            f"{serving}; it does now, so that a new model is compared with it."
        )
    for number in unknown:
        versions.annotate(serving, number, model_uri="", blessing_uri="")


def _known(store: Any, pipeline: str) -> set[str]:
    try:
        context = store.get_context_by_type_and_name("pipeline", pipeline)
    except errors.NotFoundError:
        context = None
    found = store.get_artifacts_by_context(context.id) if context else ()
    return {
        artifact.uri
        for artifact in found
        # Not one whose folder was there before all of this was moved.
        if artifact.type == "Model" and os.path.exists(artifact.uri)
    }


def _wanted(
    serving: str, unknown: Mapping[int, Mapping[str, Any]]
) -> list[versions.Version]:
    """Returns the version in service and the best others, the oldest first.

    Not those that were taken back, and not those that are no longer what was pushed.
    """
    found = versions.look(serving).versions
    taken_back = versions.withdrawn(serving)
    distinct = {_digest(version): version for version in reversed(found)}
    good = [
        version
        for version in distinct.values()
        if version.number in unknown
        and version.record.get("blessing", {}).get("blessed") == 1
        and _digest(version) not in taken_back
        and versions.digest_of(version) == _digest(version)
    ]
    good.sort(key=_level, reverse=True)
    served = [version for version in good if version is found[0]]
    others = [version for version in good if version not in served]
    return sorted([*served, *others[: features.MOST_BEST]], key=lambda v: v.number)


def _digest(version: versions.Version) -> Any:
    return version.record.get("digest")


def _level(version: versions.Version) -> float:
    return float(version.record["blessing"].get("level") or "-inf")


def _enter(
    store: Any, version: versions.Version, *, pipeline: str, root: str
) -> dict[str, Any]:
    """Copies the model, puts it and its blessing into the store; returns their names.

    A kill in between leaves an execution that is RUNNING, which the next run clears.
    """
    kind = store.put_execution_type(mlmd.ExecutionType(name=NODE))
    execution = mlmd.Execution(type_id=kind, last_known_state=mlmd.Execution.RUNNING)
    [execution.id] = store.put_executions([execution])
    model, blessing = (
        _new(store, artifact, os.path.join(root, NODE, key, str(execution.id)))
        for artifact, key in (
            (standard_artifacts.Model(), "model"),
            (standard_artifacts.ModelBlessing(), "blessing"),
        )
    )
    trust.copy_model(version, os.path.join(model.uri, trust.MODEL_FOLDER))
    folders.write(os.path.join(blessing.uri, BLESSED_FILE), b"")
    model.set_string_custom_property(trust.FILES_PROPERTY, trust.consists_of(model.uri))
    [model.id] = store.put_artifacts([model.mlmd_artifact])
    said = {
        **version.record["blessing"],
        "current_model": model.uri,
        "current_model_id": model.id,
        trust.FILES_PROPERTY: trust.consists_of(blessing.uri),
    }
    said.pop("baseline_model", None)  # It is as unknown as this one was.
    for name, value in said.items():
        if isinstance(value, str):
            blessing.set_string_custom_property(name, value)
        else:
            blessing.set_int_custom_property(name, int(value))
    execution.last_known_state = mlmd.Execution.COMPLETE
    outputs = [
        (model.mlmd_artifact, _output("model")),
        (blessing.mlmd_artifact, _output("blessing")),
    ]
    store.put_execution(
        execution,
        outputs,
        _contexts(store, pipeline),
        reuse_context_if_already_exist=True,
    )
    noted = {"model_uri": model.uri, "model_id": model.id, "blessing": said}
    return {**noted, "blessing_uri": blessing.uri}


def _new(store: Any, artifact: types.Artifact, folder: str) -> types.Artifact:
    artifact.uri = folder
    kind = store.put_artifact_type(artifact.artifact_type, can_add_fields=True)
    artifact.mlmd_artifact.type_id = kind
    artifact.mlmd_artifact.state = mlmd.Artifact.LIVE
    shutil.rmtree(folder, ignore_errors=True)
    folders.make(folder)
    return artifact


def _output(key: str) -> Any:
    event = mlmd.Event(type=mlmd.Event.OUTPUT)
    event.path.steps.add().key = key
    event.path.steps.add().index = 0
    return event


def _contexts(store: Any, pipeline: str) -> list[Any]:
    """Returns those by which TFX finds what a node of the pipeline has made."""
    names = {"pipeline": pipeline, "node": f"{pipeline}.{NODE}"}
    return [
        mlmd.Context(
            type_id=store.put_context_type(mlmd.ContextType(name=kind)), name=name
        )
        for kind, name in names.items()
    ]
