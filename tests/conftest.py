"""What tests share."""

import os
import pathlib
import sys

import pytest
import tfx  # noqa: F401  On TFX 1.21 TFMA is whole only if this came before it.

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))  # for `pseudo_terminal`


@pytest.fixture(scope="session")
def data_dir():
    """Returns the folder of MovieLens data sets, or skips the test."""
    folder = pathlib.Path(os.environ.get("DATA_DIR", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"needs MovieLens in {folder}; set DATA_DIR to have it elsewhere")
    return folder
