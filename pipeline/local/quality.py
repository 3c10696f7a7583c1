"""Notes the metrics of a pushed version in its record, for `ncf versions`."""

import contextlib
import os

from components.report.document import Summary
from ncf_model.serving import versions


def note(summary: Summary) -> None:
    """Adds the data set and the metrics of a run to the record of its version.

    Args:
        summary: of a run. Nothing is noted if that run pushed nothing.
    """
    if not summary.pushed_to:
        return
    serving, number = os.path.split(summary.pushed_to.rstrip("/"))
    # A version that another program pushed has no record.
    with contextlib.suppress(ValueError):
        versions.annotate(
            serving,
            int(number),
            dataset=summary.dataset,
            metrics=dict(summary.metrics),
        )
