"""Notes how good a pushed version is, for `ncf versions`."""

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ncf_model.serving import versions


def note(summary: Mapping[str, Any]) -> None:
    """Adds the data set and the metrics of a run to the record of what it pushed.

    Args:
        summary: the contents of summary.json; nothing is noted if it pushed nothing.
    """
    if not summary.get("pushed_to"):
        return
    serving, number = os.path.split(str(summary["pushed_to"]).rstrip("/"))
    # A folder that something else has pushed has no record.
    with contextlib.suppress(ValueError):
        versions.annotate(
            serving,
            int(number),
            dataset=summary["dataset"],
            metrics=dict(summary["metrics"]),
        )
