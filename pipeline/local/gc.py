"""Removes artifacts that neither a served model nor a recent run needs.

Three kinds of artifacts are kept: those from which a version of the serving folder was
made; those from which the latest blessed model was made, because the next model is
compared with it; and those of the latest runs, because the next run may find them in
the cache. Earlier models that these models began with or were compared with are kept,
but not the artifacts from which the earlier models were made. Removed artifacts are
marked as deleted in ML Metadata, so that TFX's cache does not use them. The records and
summaries of the runs stay; the pages of old reports and old logs are removed.
"""

import dataclasses
import os
import pathlib
import shutil
from collections.abc import Iterable

from ml_metadata import errors

from ncf_model.serving import versions
from pipeline.local import runs, space, summary_file
from pipeline.local.store import RecordedRun, Store, StoredArtifact
from pipeline.nodes import ids

# Inputs that do not count as origins. A model may begin with an earlier one and is
# compared with others; each of these would keep those before it, back to the first.
_MODELS = ("Model", "ModelBlessing")
_EARLIER_MODELS = dict.fromkeys(
    (ids.TRAINER, ids.RANKS, ids.SERVED_EVALUATION), _MODELS
)
# The models that these nodes read or find come from earlier runs.
_COMPARING = {*_EARLIER_MODELS, ids.BASELINE, ids.WARM_START, ids.SERVED_MODEL}


@dataclasses.dataclass(frozen=True)
class Removal:
    """An artifact, or a log, that can be removed.

    Attributes:
        id: the artifact's id in ML Metadata; None for a log.
        type: the artifact's type, such as `Examples`.
        folder: the artifact's folder, or the file of the log.
        bytes: the size of the files.
    """

    id: int | None
    type: str
    folder: str
    bytes: int


def plan(out: pathlib.Path, *, keep: int) -> list[Removal]:
    """Returns what can be removed, without changing anything.

    Args:
        out: the folder of the runs.
        keep: how many of the latest runs keep their artifacts, 1 or more.

    Raises:
        ValueError: `keep` is below 1, or no run was recorded in `out`.
    """
    if keep < 1:
        raise ValueError(f"`--keep` must be 1 or more; got {keep}.")
    store = Store(out)
    used, compared = _of_runs(store, store.runs[-keep:])
    roots = used | _of_served(out, store)
    needed = compared | store.ancestors(roots, without=_EARLIER_MODELS)
    root = (out / "pipeline_root").resolve()
    found = [
        Removal(artifact.id, artifact.type, str(folder), size)
        for artifact in store.artifacts.values()
        if artifact.id not in needed
        for folder in [runs.local_path(out, artifact.uri).resolve()]
        if folder.is_dir() and root in folder.parents
        for size in [sum(file.stat().st_size for file in _going(artifact.type, folder))]
        if size or artifact.type != summary_file.REPORT_TYPE
    ]
    return [*found, *_logs(out, store, keep)]


def _going(type_name: str, folder: pathlib.Path) -> list[pathlib.Path]:
    """Returns the files to remove: of a report all but the summary."""
    stays = {summary_file.NAME} if type_name == summary_file.REPORT_TYPE else set()
    files = (file for file in folder.rglob("*") if file.is_file())
    return [file for file in files if file.name not in stays]


def _logs(out: pathlib.Path, store: Store, keep: int) -> list[Removal]:
    """Returns the logs of the runs before the latest `keep` runs."""
    kept = store.runs[-keep:]
    if not kept:
        return []
    # A log is begun before its run is recorded, and written to until the run ends.
    before = min(run.started for run in kept)  # The clock may have gone back.
    files = [(file, file.stat()) for file in sorted((out / "logs").glob("*.log"))]
    return [
        Removal(None, "log", str(file.resolve()), found.st_size)
        for file, found in files
        if found.st_mtime < before
    ]


def remove(out: pathlib.Path, removals: Iterable[Removal]) -> None:
    """Marks artifacts as deleted in ML Metadata, then removes their files.

    In this order a kill in between does no harm. On a full disk ML Metadata cannot be
    written; then logs, which ML Metadata does not know, and the largest artifacts are
    removed first. A later run notices that these artifacts are gone; see `trust`.

    Raises:
        OSError: files cannot be removed, or ML Metadata cannot be written even then.
    """
    removals = sorted(removals, key=lambda one: (one.id is None, one.bytes))
    ids = [one.id for one in removals if one.id is not None]
    while removals and removals[-1].id is None:
        pathlib.Path(removals.pop().folder).unlink()
    store = Store(out)
    while True:
        try:
            store.mark_deleted(ids)
            break
        except errors.StatusError as error:
            full = space.explained(error, out)
            if full is None:
                raise
            if not removals:
                raise full from None
            _remove_files(removals.pop())
    for removal in removals:
        _remove_files(removal)


def _remove_files(removal: Removal) -> None:
    folder = pathlib.Path(removal.folder)
    if removal.type == summary_file.REPORT_TYPE:
        for file in _going(removal.type, folder):
            file.unlink()
    else:
        shutil.rmtree(folder)


def _of_runs(store: Store, of: Iterable[RecordedRun]) -> tuple[set[int], set[int]]:
    """Returns what these runs used or made, and the models that they only looked at."""
    used: set[int] = set()
    compared: set[int] = set()
    for execution in (execution for run in of for execution in run.executions):
        read = set(execution.inputs)
        if execution.node in _COMPARING:
            models = {a.id for name in _MODELS for a in store.of_type(read, name)}
            compared |= models
            read -= models
        used |= {*read, *execution.outputs}
    return used & store.artifacts.keys(), compared


def _of_served(out: pathlib.Path, store: Store) -> set[int]:
    """Returns what is served, and what the next model is compared with."""
    needed: set[int] = set()
    serving = versions.look(out / "serving") if (out / "serving").is_dir() else None
    served = serving.versions if serving else ()
    numbers = {version.number for version in served}
    models = {version.record.model_uri for version in served} - {None, ""}
    for artifact in store.artifacts.values():
        of_model = artifact.properties.get("current_model")
        if (
            (artifact.type == "PushedModel" and _number(artifact) in numbers)
            or (artifact.type == "Model" and artifact.uri in models)
            or (artifact.type == "ModelBlessing" and of_model in models)
        ):
            needed.add(artifact.id)
    blessed = [
        artifact
        for artifact in store.artifacts.values()
        if artifact.type == "ModelBlessing" and artifact.properties.get("blessed")
    ]
    if blessed:
        latest = max(blessed, key=lambda artifact: artifact.id)
        needed |= {latest.id, int(latest.properties.get("current_model_id") or 0)}
    return needed & store.artifacts.keys()


def _number(artifact: StoredArtifact) -> int | None:
    name = os.path.basename(artifact.properties.get("pushed_destination") or "")
    return int(name) if name.isdigit() else None
