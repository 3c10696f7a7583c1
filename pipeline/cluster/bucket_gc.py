"""Removes the folders of old runs from a bucket.

On clusters nobody keeps a record of artifacts that could be read from here. What is
there are the folders of runs, `ROOT/PIPELINE/RUN/` on Kubeflow and `ROOT/PROJECT/RUN/`
on Vertex, and the records of the serving folder, which name the artifacts that a pushed
version came from. A run stays if it is one of the latest, or made a version that is
there still.
"""

import dataclasses
import datetime
import json
import posixpath
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pipeline.cluster import buckets, google_cloud, local_copies

_LEVELS = 2  # of folders, from the root to that of a run
_RECORD = re.compile(r"\.ncf/versions/(\d+)\.json")  # in a serving folder


@dataclasses.dataclass
class RunFolder:
    """The files of a run.

    Attributes:
        folder: gs://...
        objects: names of its objects.
        bytes: how much room they take.
        changed: when the last of them was.
    """

    folder: str
    changed: datetime.datetime
    objects: list[str] = dataclasses.field(default_factory=list)
    bytes: int = 0


def run_folders(root: str, objects: Iterable[Any]) -> list[RunFolder]:
    """Returns the folders of runs under a root, the one changed last first.

    Args:
        root: gs://bucket/folder.
        objects: under it, each with `name`, `size` and `updated`.
    """
    bucket, _, prefix = root.removeprefix("gs://").rstrip("/").partition("/")
    found: dict[str, RunFolder] = {}
    for one in objects:
        parts = one.name.removeprefix(prefix).strip("/").split("/")
        if len(parts) <= _LEVELS:
            continue  # No run's: a file beside the folders.
        folder = posixpath.join(f"gs://{bucket}", prefix, *parts[:_LEVELS])
        run = found.setdefault(folder, RunFolder(folder, one.updated))
        run.objects.append(one.name)
        run.bytes += int(one.size or 0)
        run.changed = max(run.changed, one.updated)
    return sorted(found.values(), key=lambda run: run.changed, reverse=True)


def old(
    runs: list[RunFolder], records: Iterable[Mapping[str, Any]], *, keep: int
) -> list[RunFolder]:
    """Returns those of the runs that can go.

    Args:
        runs: the one changed last first.
        records: of the versions in the serving folder.
        keep: so many of the latest stay, 1 or more.

    Raises:
        ValueError: `keep` is below 1.
    """
    if keep < 1:
        raise ValueError(f"`--keep` must be 1 or more; got {keep}.")
    needed = [
        str(local_copies.to_remote(record[name]))
        for record in records
        for name in ("model_uri", "blessing_uri")
        if record.get(name)
    ]
    return [
        run
        for run in runs[keep:]
        if not any(uri.startswith(f"{run.folder}/") for uri in needed)
    ]


class Bucket:
    """What is asked of Cloud Storage."""

    def __init__(self, project: str | None = None) -> None:
        """Logs in with the credentials of this machine.

        Raises:
            ValueError: there are none.
        """
        caller = buckets.Caller(project, google_cloud.find_credentials())
        self._client = buckets.client(caller)

    def runs(self, root: str) -> list[RunFolder]:
        """Returns the folders of runs under gs://bucket/folder."""
        bucket, prefix = _split(root)
        with google_cloud.explained():
            return run_folders(root, self._client.list_blobs(bucket, prefix=prefix))

    def records(self, serving: str) -> list[dict[str, Any]]:
        """Returns the records of the versions that are in a serving folder."""
        bucket, prefix = _split(serving)
        with google_cloud.explained():
            blobs = {
                blob.name.removeprefix(prefix): blob
                for blob in self._client.list_blobs(bucket, prefix=prefix)
            }
            there = {name.partition("/")[0] for name in blobs}
            return [
                json.loads(blob.download_as_bytes())
                for name, blob in blobs.items()
                if (match := _RECORD.fullmatch(name)) and match[1] in there
            ]

    def remove(self, run: RunFolder) -> None:
        """Removes the objects of a run; one that is gone already is no error."""
        bucket = self._client.bucket(_split(run.folder)[0])
        with google_cloud.explained():
            for name in run.objects:
                bucket.delete_blobs([bucket.blob(name)], on_error=lambda _: None)


def _split(uri: str) -> tuple[str, str]:
    """Returns bucket and prefix, which ends with a slash."""
    bucket, _, path = uri.removeprefix("gs://").rstrip("/").partition("/")
    return bucket, f"{path}/" if path else ""
