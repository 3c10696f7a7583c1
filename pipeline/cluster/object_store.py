"""Keeps TFX from making folders in a bucket.

An object store has no folders. To make one, TensorFlow nevertheless asks for the bucket
(`storage.buckets.get`, which the role for objects does not include) and writes an empty
object, on which the download of Kubeflow's launcher fails (kubeflow/pipelines#13476).
Writing a file needs neither.
"""

from tfx.dsl.io import filesystem, filesystem_registry
from tfx.dsl.io.plugins import tensorflow_gfile

SCHEMES = ("gs://",)
# TFX's own plugin for TensorFlow has priority 10; the lowest number wins.
_PRIORITY = 1


class Buckets(tensorflow_gfile.TensorflowFilesystem):
    """TensorFlow's file system for buckets, without folders."""

    SUPPORTED_SCHEMES = list(SCHEMES)

    @staticmethod
    def makedirs(path: filesystem.PathType) -> None:
        """Does nothing."""

    @staticmethod
    def mkdir(path: filesystem.PathType) -> None:
        """Does nothing."""


def register() -> None:
    """Makes TFX use this file system in this process."""
    filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY.register(
        Buckets, priority=_PRIORITY
    )
