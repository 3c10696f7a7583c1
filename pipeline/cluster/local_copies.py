"""Converts the URIs of artifacts in the object store to local paths, and back.

Kubeflow's launcher copies the inputs of a task from the object store to folders of the
pod before the task, and the outputs back afterwards. TFX works on these folders.
TensorFlow could read gs:// itself, but not s3:// or minio://, and it leaves directory
markers in buckets on which the launcher's next download fails
(kubeflow/pipelines#13476).
"""

import os
from collections.abc import Mapping
from typing import Any

# The same table as the launcher's (`LocalPathForURI`).
FOLDERS: Mapping[str, str] = {"gs://": "/gcs/", "s3://": "/s3/", "minio://": "/minio/"}

# The launcher's folders are in the root folder; tests change this.
ROOT_VARIABLE = "NCF_OBJECT_STORE_ROOT"


def to_local(uri: str) -> str:
    """Returns the local folder of `uri`; other text unchanged.

    Example:
        >>> to_local("s3://bucket/run/model")
        '/s3/bucket/run/model'
    """
    for scheme, folder in FOLDERS.items():
        if uri.startswith(scheme):
            return _root() + folder + uri.removeprefix(scheme)
    return uri


def to_remote(value: Any) -> Any:
    """Returns JSON `value` with each path of a local copy replaced by its URI.

    Example:
        >>> to_remote({"uri": "/gcs/bucket/model", "n": 1})
        {'uri': 'gs://bucket/model', 'n': 1}
    """
    if isinstance(value, dict):
        return {key: to_remote(item) for key, item in value.items()}
    if isinstance(value, list):
        return [to_remote(item) for item in value]
    if isinstance(value, str):
        for scheme, folder in FOLDERS.items():
            if value.startswith(_root() + folder):
                return scheme + value.removeprefix(_root() + folder)
    return value


def has_files(path: str) -> bool:
    """Returns whether there is a file anywhere below `path`, here or in a bucket."""
    from tfx.dsl.io import fileio  # Late: importing TFX takes many seconds.

    return any(files for _, _, files in fileio.walk(path))


def _root() -> str:
    return os.environ.get(ROOT_VARIABLE, "")
