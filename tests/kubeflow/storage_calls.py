"""Clients' operations on a bucket; each function is run in a process of its own.

The functions have a module of their own because the process, which is forked, imports
it by its name, and could not import the module of a test.
"""

import pytest


def tensorflow():
    import tensorflow as tf

    gfile, uri = tf.io.gfile, "gs://bucket/a/b/text"
    gfile.makedirs("gs://bucket/a/b")
    with gfile.GFile(uri, "w") as f:
        f.write("hello")
    gfile.rename(uri, uri + "2")
    with gfile.GFile(uri + "2") as f:
        found = f.read()
    return (
        found,
        gfile.exists(uri),
        gfile.listdir("gs://bucket/a/b"),
        len(gfile.glob("gs://bucket/a/*/t*")),
    )


def beam():
    from apache_beam.io.filesystems import FileSystems

    with FileSystems.create("gs://bucket/a/one") as f:
        f.write(b"x" * 3000)
    FileSystems.rename(["gs://bucket/a/one"], ["gs://bucket/a/two"])
    (found,) = FileSystems.match(["gs://bucket/a/*"])[0].metadata_list
    with FileSystems.open("gs://bucket/a/two") as f:
        content = f.read()
    FileSystems.delete(["gs://bucket/a/two"])
    return found.path, content, FileSystems.exists("gs://bucket/a/two")


def makedirs():
    import tensorflow as tf

    with pytest.raises(tf.errors.PermissionDeniedError, match="403"):
        tf.io.gfile.makedirs("gs://bucket/a/b")


def copy(folder):
    from tfx.utils import io_utils

    from pipeline.cluster import object_store

    object_store.register()
    io_utils.copy_dir(folder, "gs://bucket/serving/7")


def checkpoint():
    import numpy as np

    from ncf_model.training import checkpoint

    state = checkpoint.Checkpoint("gs://bucket/checkpoints", "id")
    for epoch in (1, 2):
        state.save({"epoch": epoch}, {"tables": [np.arange(3)]})
    return state.load()
