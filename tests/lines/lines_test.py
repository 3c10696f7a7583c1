"""Nodes on one line (set of locked versions) read what nodes on the other one wrote.

A Trainer for TPUs may run on the older line while other nodes run on the current one.
So this test trains on the examples, vocabularies and graph that either line wrote, and
each line's model must give the same scores here as on the line that trained the model.
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
    """Returns a folder with the unpacked archive that a line wrote."""
    folder = tmp_path_factory.mktemp(request.param)
    archive = pathlib.Path(__file__).with_name(f"{request.param}.tar.xz")
    with tarfile.open(archive) as tar:
        tar.extractall(folder, filter="data")
    return folder


def test_its_model_says_here_what_it_said_there(written):
    said = json.loads((written / make.SAID).read_text())
    here = make.scores(written / make.MODEL)
    assert len(set(said["scores"])) > make.ITEMS  # The model has learned something.
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
    # The line's vocabularies were used: each item is known and has its own score.
    mine = make.scores(tmp_path / make.MODEL)
    items = {item for row in mine["recommended"] for item in row}
    assert items <= {f"i{number}" for number in range(make.ITEMS)}
    assert all(len(set(row)) == 3 for row in mine["recommended"])
