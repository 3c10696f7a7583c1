"""A served model that nothing was compared with is named."""

import pathlib

import pytest

from components.report.document import Summary
from ncf_model.serving import versions
from pipeline.local import in_service

SUMMARY = {
    "dataset": "tiny",
    "num_users": 1,
    "num_items": 4,
    "num_interactions": 9,
    "train": {"examples_per_second": 1, "epochs": 1, "best_epoch": 1, "final_loss": 1},
}


@pytest.fixture
def push(tmp_path):
    def of(content):
        model = tmp_path / "model"
        model.mkdir(exist_ok=True)
        (model / "saved_model.pb").write_bytes(b"\x08" + content)
        return versions.push(tmp_path / "serving", model).version

    return of


def _said(before, out, **values):
    newest = versions.newest(out / "serving")
    values = {"pushed_to": newest and newest.path} | values
    return in_service.not_compared(
        before, out, Summary.model_validate(SUMMARY | values)
    )


@pytest.mark.parametrize("content", [b"", b"\x08\x63"])  # It is cut off, or edited.
def test_a_damaged_version_that_was_replaced_is_named(tmp_path, push, content):
    old = push(b"\x01")
    pathlib.Path(old.path, "saved_model.pb").write_bytes(content)
    before = in_service.find(tmp_path)
    assert before.number == old.number
    push(b"\x02")
    [sentence] = _said(before, tmp_path)
    assert f"Version {old.number}, which was in service, is not compared" in sentence
    assert _said(before, tmp_path, pushed_to=None) == []
    assert _said(before, tmp_path, not_compared=["It is named."]) == []


def test_a_model_that_was_compared_or_is_the_same_is_not_named(tmp_path, push):
    assert in_service.find(tmp_path) is None
    assert _said(None, tmp_path) == []
    push(b"\x01")
    before = in_service.find(tmp_path)
    assert _said(before, tmp_path) == []
    (pathlib.Path(before.path) / "saved_model.pb").unlink()
    push(b"\x01")  # The damaged version, again.
    assert _said(before, tmp_path) == []
    push(b"\x02")
    assert (
        _said(before, tmp_path, comparisons={"latest_blessed": {"difference": 0.1}})
        == []
    )
