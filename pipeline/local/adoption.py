"""Enters models of the serving folder into ML Metadata if they are missing there.

They are missing after `ncf run --fresh-metadata`, if the records were removed by hand,
and under another pipeline's name. The resolvers would then find no model in service,
and the first new model would replace it without a comparison. Besides, the records of
versions would name folders that a new model may get, too. Models are also entered if
the run's folder was moved, because the records then name paths that do not exist, and
if a person or another program put the version in service there.
"""

import functools
import math
import os
import pathlib
import shutil
from collections.abc import Iterator, Mapping
from typing import Any

from ml_metadata import errors
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import types
from tfx.types import standard_artifacts

from components.pusher.blessing import BLESSED_FILE
from ncf_model import features
from ncf_model.serving import folders, versions, whole
from ncf_model.serving.version_record import VersionRecord, assumed_level
from pipeline.local import trust

NODE = "ServedModel"


def adopt(store: Any, *, pipeline: str, root: str, serving: str) -> Iterator[str]:
    """Enters the model in service and the best other versions; yields log messages.

    A version in service without a record was put there by hand, and gets a record. The
    records of these versions name the new artifacts then. The records of other
    versions that the store does not know name no artifact any more.

    Args:
        store: a `MetadataStore`. No run may be under way.
        pipeline: the pipeline's name; it does not know models of other pipelines.
        root: the folder of artifacts.
        serving: the serving folder.
    """
    served = versions.newest(serving)
    if served is not None and _is_by_hand(served):
        blessing = _blessing(serving, served)
        versions.enter(serving, served, model_uri="", blessing=blessing)
        yield f"Version {served.number} in {serving} was put there by hand."
    elif served is not None and _is_copy_of_unknown(served.record):
        blessing = _blessing(serving, served)
        versions.annotate(serving, served.number, model_uri="", blessing=blessing)
    known = _known(store, pipeline, root)
    unknown = {
        number: record
        for number, record in versions.records(serving).items()
        if record.model_uri is not None
        and record.model_uri not in known
        # A record with "" was left out by an earlier run. Such a version is entered
        # only if it is in service now.
        and (record.model_uri or (served and number == served.number))
    }
    if not unknown:
        return
    last = max((execution.id for execution in store.get_executions()), default=0)
    places = _Places(serving, root, last)
    for version in _wanted(serving, places, unknown):
        noted = _enter(store, version, pipeline=pipeline, root=root)
        digest = version.record.digest
        for number in [n for n, r in unknown.items() if r.digest == digest]:
            versions.annotate(serving, number, **noted)
            del unknown[number]
        yield (
            f"ML Metadata did not know the model of version {version.number} in "
            f"{serving}; it does now, so that a new model is compared with it. Its "
            f"files are those of {version.path}."
        )
    for number in unknown:
        versions.annotate(serving, number, model_uri="", blessing_uri="")


def _is_by_hand(version: versions.Version) -> bool:
    """Returns whether a version was put there, or changed since its record, by hand."""
    record = version.record
    edited = record.by_hand and versions.digest_of(version) != record.digest
    return edited or not version.is_recorded


def _is_copy_of_unknown(record: VersionRecord) -> bool:
    """Returns whether a rollback made a version from one that had no record."""
    return record.model_uri is None and record.blessing is None


def _blessing(serving: str, version: versions.Version) -> Mapping[str, Any]:
    """Returns the blessing with which a version that was put there by hand is entered.

    A copy of a pushed version gets the blessing of that version. For any other model
    the level is not known, so `assumed_level` is taken.
    """
    digest = versions.digest_of(version)
    for _, record in sorted(versions.records(serving).items(), reverse=True):
        if record.digest == digest and record.blessing is not None:
            return dict(record.blessing)
    level = assumed_level(v.record for v in versions.look(serving).versions)
    assumed = {features.ASSUMED_LEVEL_PROPERTY: 1}
    return {"blessed": 1, "level": repr(level), **assumed}


def _known(store: Any, pipeline: str, root: str) -> set[str]:
    try:
        context = store.get_context_by_type_and_name("pipeline", pipeline)
    except errors.NotFoundError:
        context = None
    found = store.get_artifacts_by_context(context.id) if context else ()
    return {
        artifact.uri
        for artifact in found
        # An artifact that `ncf gc` removed counts as known; one outside `root`, which
        # was made before the run's folder was moved, does not.
        if artifact.type == "Model" and trust.is_inside(artifact.uri, root)
    }


def _wanted(
    serving: str, places: "_Places", unknown: Mapping[int, VersionRecord]
) -> list[versions.Version]:
    """Returns the version in service and the best others, the oldest first.

    The path of a returned version is the folder with its pushed files, which may be the
    model's artifact if the version itself was damaged or removed. Left out are models
    without any files, models that a rollback took back, and models that were put there
    by hand, except the one in service and the last other one: see
    `LatestOtherBlessedModel`. If no version is whole, the newest one counts as the one
    in service.
    """
    found = versions.look(serving).versions
    in_service = unknown.get(found[0].number if found else max(unknown))
    taken_back = versions.withdrawn(serving)
    good: dict[str, versions.Version] = {}
    for number, record in sorted(unknown.items(), reverse=True):
        blessed = (record.blessing or {}).get("blessed") == 1
        if not blessed or record.digest in {*taken_back, *good}:
            continue
        if place := places.of(number, record):
            good[record.digest] = versions.Version(number, place, record)
    served = [good.pop(in_service.digest, None)] if in_service else []
    assumed = [v.number for v in good.values() if v.record.level_is_assumed]
    others = [
        version
        for version in good.values()
        if not version.record.level_is_assumed or version.number == max(assumed)
    ]
    others.sort(key=lambda v: (_level(v), not v.record.level_is_assumed), reverse=True)
    return sorted(
        [*filter(None, served), *others[: features.MOST_BEST]], key=lambda v: v.number
    )


class _Places:
    """Finds the folder that has a version's files, by the contents of the files."""

    def __init__(self, serving: str, root: str, last: int) -> None:
        self._serving, self._root = serving, root
        # The highest id of an execution in ML Metadata. A folder with a higher number
        # is overwritten by the execution that gets this id.
        self._last = last

    def of(self, number: int, record: VersionRecord) -> str | None:
        """Returns a folder with the files of a version as pushed; None without any."""
        own = os.path.join(self._serving, str(number))
        version = versions.Version(number, own, record)
        is_whole = not whole.problem(own, record.files or None)
        if is_whole and versions.digest_of(version) == record.digest:
            return own
        artifact = record.model_uri or ""
        if trust.is_inside(artifact, self._root) and not os.path.exists(artifact):
            return None  # The artifact was removed, as by `ncf gc`, and stays so.
        return self._artifacts.get(record.digest)

    @functools.cached_property
    def _artifacts(self) -> dict[str, str]:
        """The models in the folder of artifacts, by digest."""
        models = pathlib.Path(self._root).glob(f"*/model/*/{folders.SERVING_MODEL}")
        return {
            folders.digest(str(model)): str(model)
            for model in sorted(models)
            if model.parent.name.isdigit() and int(model.parent.name) <= self._last
        }


def _level(version: versions.Version) -> float:
    level = version.record.level
    return -math.inf if level is None else level


def _enter(
    store: Any, version: versions.Version, *, pipeline: str, root: str
) -> dict[str, Any]:
    """Copies a model, enters it and its blessing; returns the names for the record.

    If the process is killed meanwhile, an execution stays RUNNING, which the next run
    clears.
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
    trust.copy_model(version, os.path.join(model.uri, folders.SERVING_MODEL))
    folders.write(os.path.join(blessing.uri, BLESSED_FILE), b"")
    model.set_string_custom_property(trust.FILES_PROPERTY, trust.consists_of(model.uri))
    model.set_string_custom_property(features.VERSION_PROPERTY, str(version.number))
    [model.id] = store.put_artifacts([model.mlmd_artifact])
    said = {
        **(version.record.blessing or {}),
        "current_model": model.uri,
        "current_model_id": model.id,
        trust.FILES_PROPERTY: trust.consists_of(blessing.uri),
    }
    said.pop("baseline_model", None)  # The store does not know that model either.
    if version.record.level is None:
        said.pop("level", None)  # What is no number could not be read.
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
    """Returns the contexts by which TFX finds the artifacts of a pipeline."""
    names = {"pipeline": pipeline, "node": f"{pipeline}.{NODE}"}
    return [
        mlmd.Context(
            type_id=store.put_context_type(mlmd.ContextType(name=kind)), name=name
        )
        for kind, name in names.items()
    ]
