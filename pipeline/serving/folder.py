"""The serving folder: which versions are complete. A path or a gs:// URI."""

import os

from components.latest_pushed_model import versions
from pipeline.local import recommend


def complete_versions(serving: str) -> list[int]:
    """Returns the numbers of the complete versions, the highest first.

    Args:
        serving: Pusher's folder; it need not exist.
    """
    gfile = recommend._import_tensorflow().io.gfile
    if not gfile.isdir(serving):
        return []
    return [
        int(name)
        for name in versions.newest_first(gfile.listdir(serving))
        if gfile.exists(os.path.join(serving, name, versions.MODEL_FILE))
    ]


def path(serving: str, version: int) -> str:
    """Returns the folder of a version."""
    return os.path.join(serving, str(version))
