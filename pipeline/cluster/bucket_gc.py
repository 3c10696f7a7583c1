"""Removes the folders of old runs from a bucket.

The artifacts of clusters have no records that could be read from here. But there are
the folders of runs, `ROOT/PIPELINE/RUN/` on Kubeflow and `ROOT/PROJECT/RUN/` on Vertex,
and the records of the serving folder, which name the artifacts from which a pushed
version was made. A run stays if it is one of the latest, or made a version that still
exists. A folder that was written to in the last two days stays, too, because a run may
be at work there.
"""

import collections
import dataclasses
import datetime
import posixpath
import re
from collections.abc import Iterable
from typing import Any

import pydantic

from ncf_model.serving.version_record import VersionRecord
from pipeline.cluster import buckets, google_cloud, local_copies

_SPARED = datetime.timedelta(days=2)  # A training may write nothing for hours.
_LEVELS = 2  # A run's folder is so many levels below the root.
_RECORD = re.compile(r"\.ncf/versions/(\d+)\.json")  # in a serving folder


@dataclasses.dataclass
class RunFolder:
    """The files of a run.

    Attributes:
        folder: the URI of the run's folder, gs://...
        objects: names of the objects in the folder.
        bytes: the size of all these objects.
        changed: when the last of these objects was written.
    """

    folder: str
    changed: datetime.datetime
    objects: list[str] = dataclasses.field(default_factory=list)
    bytes: int = 0


def run_folders(root: str, objects: Iterable[Any]) -> list[RunFolder]:
    """Returns the folders of runs under a root, the one changed last first.

    Args:
        root: gs://bucket/folder.
        objects: all objects below `root`, each with `name`, `size` and `updated`.
    """
    bucket, _, prefix = root.removeprefix("gs://").rstrip("/").partition("/")
    found: dict[str, RunFolder] = {}
    for one in objects:
        parts = one.name.removeprefix(prefix).strip("/").split("/")
        if len(parts) <= _LEVELS:
            continue  # A file beside the folders belongs to no run.
        folder = posixpath.join(f"gs://{bucket}", prefix, *parts[:_LEVELS])
        run = found.setdefault(folder, RunFolder(folder, one.updated))
        run.objects.append(one.name)
        run.bytes += int(one.size or 0)
        run.changed = max(run.changed, one.updated)
    return sorted(found.values(), key=lambda run: run.changed, reverse=True)


def check_folders(root: str, serving: str | None) -> None:
    """Checks that the runs and the served versions are in separate folders of buckets.

    Raises:
        ValueError: one of the two is no folder in a bucket, or is inside the other.
    """
    for flag, folder in (("--bucket", root), ("--serving", serving or "")):
        if not re.fullmatch(r"gs://[^/]+/+[^/].*", folder):
            raise ValueError(
                f"`{flag}` must be a folder in a bucket, gs://bucket/folder: of the "
                f"{'runs' if folder is root else 'pushed versions'}; got {folder!r}."
            )
    runs, served = (_split(folder) for folder in (root, serving or ""))
    if runs[0] == served[0] and (
        runs[1].startswith(served[1]) or served[1].startswith(runs[1])
    ):
        raise ValueError(
            f"`--bucket` {root} and `--serving` {serving} must lie beside each other: "
            "with one inside the other, versions would count as runs."
        )


def old(
    runs: list[RunFolder],
    records: Iterable[VersionRecord],
    *,
    keep: int,
    now: datetime.datetime,
) -> list[RunFolder]:
    """Returns the runs that can be removed.

    Args:
        runs: all runs, the one changed last first.
        records: of the versions in the serving folder.
        keep: how many of the latest runs of each pipeline stay, 1 or more.
        now: the time, with its zone.

    Raises:
        ValueError: `keep` is below 1, or there are no records.
    """
    if keep < 1:
        raise ValueError(f"`--keep` must be 1 or more; got {keep}.")
    records = list(records)
    if not records:
        raise ValueError(
            "`--serving` must be the folder that runs push to, so that what its "
            "versions came from stays; no record of a version is in it."
        )
    needed = [
        str(local_copies.to_remote(uri))
        for record in records
        for uri in (record.model_uri, record.blessing_uri)
        if uri
    ]
    latest: collections.Counter[str] = collections.Counter()
    found = []
    for run in runs:
        pipeline = posixpath.dirname(run.folder)
        latest[pipeline] += 1
        is_needed = any(uri.startswith(f"{run.folder}/") for uri in needed)
        is_recent = latest[pipeline] <= keep or now - run.changed < _SPARED
        if not is_needed and not is_recent:
            found.append(run)
    return found


class Bucket:
    """Reads folders of Cloud Storage and removes objects."""

    def __init__(self, project: str | None = None) -> None:
        """Logs in with the credentials of this machine.

        Raises:
            ValueError: this machine has no credentials.
        """
        caller = buckets.Caller(project, google_cloud.find_credentials())
        self._client = buckets.client(caller)

    def runs(self, root: str) -> list[RunFolder]:
        """Returns the folders of runs under gs://bucket/folder."""
        bucket, prefix = _split(root)
        with google_cloud.explained():
            return run_folders(root, self._client.list_blobs(bucket, prefix=prefix))

    def records(self, serving: str) -> list[VersionRecord]:
        """Returns the records of the versions that are in a serving folder."""
        bucket, prefix = _split(serving)
        with google_cloud.explained():
            blobs = {
                blob.name.removeprefix(prefix): blob
                for blob in self._client.list_blobs(bucket, prefix=prefix)
            }
            there = {name.partition("/")[0] for name in blobs}
            return [
                _record(blob)
                for name, blob in blobs.items()
                if (match := _RECORD.fullmatch(name)) and match[1] in there
            ]

    def remove(self, run: RunFolder) -> None:
        """Removes the objects of a run; one that is gone already is no error."""
        bucket = self._client.bucket(_split(run.folder)[0])
        with google_cloud.explained():
            for name in run.objects:
                bucket.delete_blobs([bucket.blob(name)], on_error=lambda _: None)


def _record(blob: Any) -> VersionRecord:
    try:
        return VersionRecord.model_validate_json(blob.download_as_bytes())
    except pydantic.ValidationError:
        raise ValueError(
            f"The record gs://{blob.bucket.name}/{blob.name} is damaged, so nothing "
            "says which run its version came from. Nothing was removed. Remove that "
            "version, or restore its record."
        ) from None


def _split(uri: str) -> tuple[str, str]:
    """Returns bucket and prefix, which ends with a slash."""
    bucket, _, path = uri.removeprefix("gs://").rstrip("/").partition("/")
    return bucket, f"{path}/" if path else ""
