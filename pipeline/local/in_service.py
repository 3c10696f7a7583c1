"""Which version is in service, and whether a run's model was compared with it."""

import os
import pathlib

from components.report.document import Summary
from ncf_model.serving import folders, versions, whole
from ncf_model.serving.version_record import VersionRecord


def find(out: pathlib.Path) -> versions.Version | None:
    """Returns the newest version, whole, damaged or removed; None without any."""
    serving = out / "serving"
    found = versions.look(serving)
    gone = [
        versions.Version(number, str(serving / str(number)), record)
        for number, record in versions.records(serving).items()
    ]
    there = [*found.versions, *found.broken, *gone]
    return max(there, key=lambda version: version.number, default=None)


def not_compared(
    before: versions.Version | None, out: pathlib.Path, summary: Summary
) -> list[str]:
    """Returns a sentence if a model was replaced that nothing could be compared with.

    That happens where the version in service was damaged or removed, and its model is
    not among the artifacts either.

    Args:
        before: what `find` returned before the run.
        out: the folder of the run.
        summary: of the run.
    """
    now = find(out)
    if before is None or now is None or summary.pushed_to is None:
        return []
    noted = versions.records(out / "serving").get(before.number)
    if noted is None or noted.digest == now.record.digest or _is_there(noted):
        return []
    return [
        f"Version {before.number}, which was in service, is not compared: neither "
        f"{before.path} nor the folder of artifacts has the files that were pushed. "
        "The new model took its place all the same; `ncf versions` lists older ones."
    ]


def _is_there(record: VersionRecord) -> bool:
    """Returns whether the artifact of a version has the files that were pushed."""
    if not record.model_uri:
        return False
    model = os.path.join(record.model_uri, folders.SERVING_MODEL)
    return not whole.problem(model, record.files or None)
