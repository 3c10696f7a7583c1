"""The installed packages can read and write gs://, and start Dataflow jobs."""

import tensorflow as tf
from apache_beam import runners
from apache_beam.io import filesystems
from apache_beam.io.gcp import gcsfilesystem
from apache_beam.runners import dataflow
from tfx.dsl.io import filesystem_registry
from tfx.dsl.io.plugins import tensorflow_gfile

URI = "gs://bucket/file"


def test_beam_knows_buckets():
    found = filesystems.FileSystems.get_filesystem(URI)
    assert isinstance(found, gcsfilesystem.GCSFileSystem)


def test_tensorflow_and_with_it_tfx_know_buckets():
    assert "gs" in tf.io.gfile.get_registered_schemes()
    registry = filesystem_registry.DEFAULT_FILESYSTEM_REGISTRY
    found = registry.get_filesystem_for_path(URI)
    assert found is tensorflow_gfile.TensorflowFilesystem


def test_beam_has_what_dataflow_needs():
    runner = runners.create_runner("DataflowRunner")
    assert isinstance(runner, dataflow.DataflowRunner)
