"""A run names the served model that it replaces without having compared with it."""

import json
import pathlib
import shutil

import pytest

from components.report.document import Run, Summary
from ncf_model.serving import folders, versions
from ncf_model.serving.version_record import VersionRecord
from pipeline.local import in_service, report
from tests.components.report import examples

SUMMARY = {
    "dataset": "tiny",
    "num_users": 1,
    "num_items": 4,
    "num_interactions": 9,
    "train": {"examples_per_second": 1, "epochs": 1, "best_epoch": 1, "final_loss": 1},
}


@pytest.fixture
def push(tmp_path):
    """Returns a function that makes a model's artifact and pushes the model."""

    def of(content):
        model = tmp_path / "pipeline_root" / content.hex()
        (model / folders.SERVING_MODEL).mkdir(parents=True, exist_ok=True)
        path = model / folders.SERVING_MODEL
        (path / "saved_model.pb").write_bytes(b"\x08" + content)
        record = VersionRecord(model_uri=str(model))
        return versions.push(tmp_path / "serving", path, record=record).version

    return of


def _said(before, out, **values):
    newest = versions.newest(out / "serving")
    values = {"pushed_to": newest and newest.path} | values
    return in_service.not_compared(
        before, out, Summary.model_validate(SUMMARY | values)
    )


def _lose_artifacts(out):
    shutil.rmtree(out / "pipeline_root")


@pytest.mark.parametrize("content", [b"", b"\x08\x63", None])
@pytest.mark.parametrize("compared", [{}, {"latest_blessed": {"difference": 0.1}}])
def test_a_damaged_version_that_was_replaced_is_named(
    tmp_path, push, content, compared
):
    """The version is cut off, edited or gone; other models may have been compared."""
    push(b"\x00")
    old = push(b"\x01")
    if content is None:
        shutil.rmtree(old.path)
    else:
        pathlib.Path(old.path, "saved_model.pb").write_bytes(content)
    _lose_artifacts(tmp_path)
    before = in_service.find(tmp_path)
    assert before.number == old.number
    push(b"\x02")
    [sentence] = _said(before, tmp_path, comparisons=compared)
    assert f"Version {old.number}, which was in service, is not compared" in sentence
    assert _said(before, tmp_path, pushed_to=None) == []


def test_a_model_that_was_compared_or_is_the_same_is_not_named(tmp_path, push):
    assert in_service.find(tmp_path) is None
    assert _said(None, tmp_path) == []
    push(b"\x01")
    before = in_service.find(tmp_path)
    assert _said(before, tmp_path) == []
    (pathlib.Path(before.path) / "saved_model.pb").unlink()
    push(b"\x01")  # The new model is that of the damaged version.
    assert _said(before, tmp_path) == []
    push(b"\x02")  # The artifact of the damaged version is whole.
    assert _said(before, tmp_path) == []


def test_what_was_never_pushed_is_not_named(tmp_path, push):
    (tmp_path / "serving" / "7").mkdir(parents=True)
    before = in_service.find(tmp_path)
    assert before.number == 7
    push(b"\x01")
    assert _said(before, tmp_path) == []


def test_the_report_says_so(tmp_path):
    (tmp_path / "index.html").write_text("<html></html>")
    (tmp_path / "summary.json").write_text(examples.result().to_json())
    made = report.complete(
        tmp_path,
        Run(id="7", started="2026-01-01T00:00:00Z"),
        titles={},
        config={},
        not_compared=lambda summary: [
            f"Version 7 of {summary.num_users} users is lost."
        ],
    )
    told = made.not_compared[-1]
    assert told.startswith("Version 7 of ")
    assert (
        json.loads((tmp_path / "summary.json").read_text())["not_compared"][-1] == told
    )
    assert told in (tmp_path / "index.html").read_text()
