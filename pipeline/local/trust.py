"""Corrects ML Metadata before a run, with the folder locked.

- An execution that is still RUNNING has died, because no other process works here. The
  execution is marked as failed, with the property `died`. Its output folders are
  removed, as are those of an execution that Ctrl-C stopped.
- An execution without all of its outputs, as after a full disk, is marked as failed, so
  the node runs again.
- An artifact whose files are not those that were noted is marked as deleted, so its
  node runs again. If the artifact is a model that was pushed, it is copied back from
  the serving folder, with its blessing, because a new model must be compared with it.
- An artifact outside of the run's folder was made before that folder was moved, and is
  marked as deleted: another run may have artifacts of the same names there by now.
"""

import hashlib
import os
import pathlib
import shutil
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from ml_metadata.proto import metadata_store_pb2 as mlmd

from components.pusher import blessing
from ncf_model.serving import folders, versions

FILES_PROPERTY = "files"
DIED_PROPERTY = "died"
_OUTPUTS = (mlmd.Event.OUTPUT, mlmd.Event.DECLARED_OUTPUT)
_DONE = (mlmd.Execution.COMPLETE, mlmd.Execution.CACHED)
_UNDER_WAY = (mlmd.Execution.NEW, mlmd.Execution.RUNNING)


def note_files(output: Any) -> Any:
    """Notes the files of each output artifact; returns the ExecutorOutput."""
    for artifacts in output.output_artifacts.values():
        for artifact in artifacts.artifacts:
            noted = artifact.custom_properties[FILES_PROPERTY]
            noted.string_value = consists_of(artifact.uri)
    return output


def consists_of(folder: str) -> str:
    """Returns number and bytes of a folder's files, and a digest of names and sizes.

    Example:
        `3 files, 1979 bytes, 6f0e...`
    """
    if os.path.isfile(folder):
        return f"1 file, {os.path.getsize(folder)} bytes"
    found = folders.sizes(folder)
    digest = hashlib.sha256(repr(list(found.items())).encode()).hexdigest()[:16]
    return f"{len(found)} files, {sum(found.values())} bytes, {digest}"


def repair(
    store: Any, *, outputs: Mapping[str, Collection[str]], root: str, serving: str
) -> list[str]:
    """Corrects the records; yields a message for the log of each correction.

    Args:
        store: a `MetadataStore`. No run may be under way.
        outputs: type of a node -> output keys that its executions must have.
        root: the folder of artifacts.
        serving: the serving folder.
    """
    executions = store.get_executions()
    return [
        *_end_the_dead(store, executions, pathlib.Path(root)),
        *_refuse_halves(store, executions, outputs),
        *_miss_what_is_gone(store, root, serving),
    ]


def note_stopped(store: Any, *, after: int) -> None:
    """Marks what Ctrl-C stopped as canceled: executions with an id above `after`.

    An execution that failed is one of them: a package may have raised its own error.
    """
    stopped = [
        e
        for e in store.get_executions()
        if e.id > after and e.last_known_state not in _DONE
    ]
    for execution in stopped:
        execution.last_known_state = mlmd.Execution.CANCELED
    if stopped:
        store.put_executions(stopped)


def _end_the_dead(
    store: Any, executions: list[Any], root: pathlib.Path
) -> Iterator[str]:
    dead = [e for e in executions if e.last_known_state in _UNDER_WAY]
    stopped = [e for e in executions if e.last_known_state == mlmd.Execution.CANCELED]
    for execution in (*dead, *stopped):
        for pattern in ("*/*", "*/.system/*"):
            for folder in root.glob(f"{pattern}/{execution.id}"):
                shutil.rmtree(folder, ignore_errors=True)
    for execution in dead:
        execution.last_known_state = mlmd.Execution.FAILED
        execution.custom_properties[DIED_PROPERTY].int_value = 1
        yield f"Execution {execution.id} ({execution.type}) had died: it has failed."
    if dead:
        store.put_executions(dead)


def _refuse_halves(
    store: Any, executions: list[Any], outputs: Mapping[str, Collection[str]]
) -> Iterator[str]:
    done = [
        e for e in executions if e.last_known_state in _DONE and outputs.get(e.type)
    ]
    found: dict[int, set[str]] = {execution.id: set() for execution in done}
    for event in store.get_events_by_execution_ids(list(found)) if done else ():
        if event.type in _OUTPUTS and event.path.steps:
            found[event.execution_id].add(event.path.steps[0].key)
    halves = [e for e in done if set(outputs[e.type]) - found[e.id]]
    for execution in halves:
        execution.last_known_state = mlmd.Execution.FAILED
        missing = sorted(set(outputs[execution.type]) - found[execution.id])
        yield (
            f"Execution {execution.id} ({execution.type}) has no {', '.join(missing)}; "
            "it counts as failed."
        )
    if halves:
        store.put_executions(halves)


def _miss_what_is_gone(store: Any, root: str, serving: str) -> Iterator[str]:
    gone = []
    for artifact in store.get_artifacts():
        if artifact.state != mlmd.Artifact.LIVE:
            continue
        inside = is_inside(artifact.uri, root)
        made_here = FILES_PROPERTY in dict(artifact.custom_properties)
        if _is_whole(artifact) if inside else not made_here:
            continue
        if inside and _put_back(artifact, serving):
            yield (
                f"{artifact.type} {artifact.id} was put back from {serving}: "
                f"{artifact.uri}"
            )
            continue
        artifact.state = mlmd.Artifact.DELETED
        gone.append(artifact)
        yield (
            f"Artifact {artifact.id} ({artifact.type}) is not what it was; the node "
            f"that made it runs again: {artifact.uri}"
        )
    if gone:
        store.put_artifacts(gone)


def is_inside(uri: str, root: str) -> bool:
    """Returns whether an artifact's folder is in the folder of artifacts `root`."""
    return uri.startswith(root.rstrip("/") + "/")


def _is_whole(artifact: Any) -> bool:
    """Returns whether the files are those that were noted; True without a note."""
    if not os.path.exists(artifact.uri):
        return False
    said = dict(artifact.custom_properties)  # Reading a protobuf map adds the key.
    noted = said[FILES_PROPERTY].string_value if FILES_PROPERTY in said else ""
    return not noted or noted == consists_of(artifact.uri)


def _put_back(artifact: Any, serving: str) -> bool:
    """Restores a model or a blessing from the serving folder; returns success.

    Otherwise there might be nothing left with which to compare a new model. A damaged
    version is not used.
    """
    said = dict(artifact.custom_properties)  # Reading a protobuf map adds the key.
    blessed = "blessed" in said and said["blessed"].int_value
    of_blessed = said["current_model"].string_value if blessed else ""
    model = {"Model": artifact.uri, "ModelBlessing": of_blessed}.get(artifact.type)
    for version in versions.look(serving).versions if model else ():
        if version.record.model_uri == model and _as_pushed(version):
            shutil.rmtree(artifact.uri, ignore_errors=True)
            if artifact.type == "Model":
                copy_model(version, os.path.join(artifact.uri, folders.SERVING_MODEL))
            else:
                folders.write(os.path.join(artifact.uri, blessing.BLESSED_FILE), b"")
            return _is_whole(artifact)
    return False


def copy_model(version: versions.Version, target: str) -> None:
    """Copies the files of a version into a folder; of a pushed one, those pushed."""
    for name in version.record.files or folders.sizes(version.path):
        path = os.path.join(target, name)
        folders.make(os.path.dirname(path))
        folders.copy(os.path.join(version.path, name), path)


def _as_pushed(version: versions.Version) -> bool:
    return versions.digest_of(version) == version.record.digest
