"""Which version is in service, and whether a run's model was compared with it."""

import pathlib

from components.report.document import Summary
from ncf_model.serving import versions


def find(out: pathlib.Path) -> versions.Version | None:
    """Returns the newest version of a run's folder, whole or not; None without any."""
    found = versions.look(out / "serving")
    return max([*found.versions, *found.broken], key=lambda v: v.number, default=None)


def not_compared(
    before: versions.Version | None, out: pathlib.Path, summary: Summary
) -> list[str]:
    """Returns a sentence if another model was replaced without any comparison.

    That happens where the version in service was damaged and its model is nowhere else.

    Args:
        before: what `find` returned before the run.
        out: the folder of the run.
        summary: of the run.
    """
    if before is None or summary.pushed_to is None:
        return []
    if summary.comparisons or summary.not_compared:
        return []
    now = find(out)
    if now is None or now.record.digest == before.record.digest:
        return []
    return [
        f"Version {before.number}, which was in service, is not compared: its files "
        f"in {before.path} are not those that were pushed, and the folder of artifacts "
        "has no copy. The new model took its place without a comparison; "
        "`ncf versions` lists older ones."
    ]
