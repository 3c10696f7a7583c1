"""Fixtures and hooks of pytest that all tests share."""

import os
import pathlib
import sys

import pytest

from ncf_model import libraries

# Before another conftest.py imports NumPy. Processes that a test starts inherit the
# choice or make it themselves, so models trained there have the same bits as here.
libraries.set_up(os.environ)

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # For `pseudo_terminal`.

# pytest-xdist gives whole files to its workers (`--dist loadfile`), in this order.
# Files that take minutes come first, so that no worker begins one at the end, when the
# other workers have nothing left to do.
LONGEST_FIRST = (
    "tests/kubeflow/pipeline_test.py",
    "tests/e2e/chain_test.py",
    "tests/reliability/",
    "tests/e2e/",
    "tests/kubeflow/",
    "tests/ncf_model/training/",
    "tests/pipeline/",
)


def pytest_configure(config):
    """Imports TFX, unless this process only distributes tests to workers.

    With TFX 1.21, TFMA lacks some of its names unless TFX is imported before TFMA.
    """
    deals_out = getattr(config.option, "numprocesses", None)
    if not deals_out or hasattr(config, "workerinput"):
        import tfx  # noqa: F401


def _place(item):
    names = enumerate(LONGEST_FIRST)
    return next(
        (place for place, name in names if item.nodeid.startswith(name)),
        len(LONGEST_FIRST),
    )


def pytest_collection_modifyitems(items):
    """Sorts the tests, those of the files that take longest first."""
    items.sort(key=_place)


@pytest.fixture(scope="session")
def data_dir():
    """Returns the folder of MovieLens data sets, or skips the test."""
    folder = pathlib.Path(os.environ.get("DATA_DIR", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs MovieLens in {folder}; DATA_DIR may name another folder")
    return folder
