"""What is done while large packages are imported."""

import gc
import os
import subprocess
import sys
import types
import warnings

import pytest
import tensorflow as tf
import typer.testing

from pipeline import cli, config_fields, start_up


@pytest.fixture(autouse=True)
def _as_before():
    yield
    gc.unfreeze()
    gc.enable()


def test_nothing_is_looked_for_meanwhile_nor_looked_at_later():
    frozen = gc.get_freeze_count()
    with start_up.first_import("a_package_nobody_has"):
        assert not gc.isenabled()
    assert gc.isenabled()
    assert gc.get_freeze_count() > frozen


def test_it_stays_off_where_it_was_off():
    gc.disable()
    with start_up.first_import("a_package_nobody_has"):
        pass
    assert not gc.isenabled()


def test_a_package_that_is_there_changes_nothing():
    # Otherwise a process would keep the garbage of each of its runs for good.
    frozen = gc.get_freeze_count()
    with start_up.first_import("gc"):
        assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_it_is_on_again_after_an_import_that_failed():
    with pytest.raises(ImportError), start_up.first_import("a_package_nobody_has"):
        raise ImportError
    assert gc.isenabled()


def test_tensorflow_alone_and_whoever_wants_keras_still_gets_it():
    code = """
import gc, sys
from pipeline import cli, config_fields, start_up

tf = start_up.import_tensorflow()
print(sorted({"keras", "h5py", "IPython", "matplotlib"} & {*sys.modules}))
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
import keras

layer = keras.layers.Dense(2)
print(layer(tf.ones([3, 1])).shape, tf.keras.layers.Dense is keras.layers.Dense)
"""
    # Packages that the tests import set this variable, which chooses TensorFlow's
    # Keras.
    env = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.stdout.splitlines() == ["[]", "True True", "(3, 2) True"], done.stderr


def test_tensorflow_imported_before_is_returned_and_nothing_is_hidden(monkeypatch):
    hidden = []

    class Modules(dict):
        def __setitem__(self, name, module):
            hidden.append(name)

    modules = Modules({"tensorflow": tf})  # No other module counts as imported.
    monkeypatch.setattr(start_up, "sys", types.SimpleNamespace(modules=modules))
    assert start_up.import_tensorflow() is tf
    assert hidden == []


def test_commands_are_quiet_about_versions_and_nothing_else(monkeypatch):
    said = (
        "You are using a non-supported Python version (3.10.13). Google will not",
        "Support for google-cloud-storage < 3.0.0 will be removed in a future",
        "another matter",
    )

    def fields():
        for text in said:
            warnings.warn(text, FutureWarning, stacklevel=1)
        return []

    monkeypatch.setattr(config_fields, "fields", fields)
    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")  # The test run's own filters do not count.
        typer.testing.CliRunner().invoke(cli.app, ["config"])
    assert [str(one.message) for one in found] == ["another matter"]
