"""Nodes of one line read what nodes of the other wrote.

A Trainer for TPUs may be of the older line while the others are of the current one. So
examples, vocabularies and graph of either line are trained on here, and the model of
either says here what it said there.
"""

import json
import pathlib
import tarfile

import numpy as np
import pytest

from ncf_model import config, train_job
from tests.lines import make

LINES = ("older", "current")


@pytest.fixture(scope="module", params=LINES, name="written")
def _written(request, tmp_path_factory):
    """Returns the folder of what a line wrote, unpacked."""
    folder = tmp_path_factory.mktemp(request.param)
    archive = pathlib.Path(__file__).with_name(f"{request.param}.tar.xz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def test_its_model_says_here_what_it_said_there(written):
    said = json.loads((written / make.SAID).read_text())
    here = make.scores(written / make.MODEL)
    assert len(set(said["scores"])) > make.ITEMS  # It has learned something.
    np.testing.assert_allclose(here["scores"], said["scores"], atol=2e-5)
    assert here["recommended"] == said["recommended"]


@pytest.mark.parametrize("model", [{"history": {"factors": 2}}, {"mf_dim": 2}])
def test_a_trainer_of_this_line_trains_on_its_examples(written, model, tmp_path):
    custom = {
        "model": config.ModelConfig(**model).model_dump(mode="json"),
        "train": {"epochs": 2, "jit_compile": False, "batch_size": 64},
        "sampling": {"num_negatives": 2},
        "seed": 3,
    }
    train_job.main(
        [
            *(train_job.EXAMPLES_FLAG, str(written / "examples")),
            *(train_job.TRANSFORM_GRAPH_FLAG, str(written / "transform_graph")),
            *(train_job.OUTPUT_FLAG, str(tmp_path)),
            *(train_job.CUSTOM_CONFIG_FLAG, json.dumps(custom)),
        ]
    )
    history = json.loads((tmp_path / "model_run" / "history.json").read_text())
    assert len(history["epochs"]) == 2
    # Its vocabularies came over: each item is known and has a score of its own.
    mine = make.scores(tmp_path / make.MODEL)
    items = {item for row in mine["recommended"] for item in row}
    assert items <= {f"i{number}" for number in range(make.ITEMS)}
    assert all(len(set(row)) == 3 for row in mine["recommended"])
