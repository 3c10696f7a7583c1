"""Processes start while this one works on one core, and only if they are needed."""

import os

import pytest

from components.export_check import check
from ncf_model import progress
from pipeline import config, inputs
from pipeline.local import early_start, running
from pipeline.local.beam import fork_server, workers


@pytest.fixture
def calls(monkeypatch):
    """Returns the names of the functions of `check` that are called."""
    made = []
    for name in ("get_ready", "forget"):
        monkeypatch.setattr(check, name, lambda name=name: made.append(name))
    return made


def test_the_process_starts_when_the_model_is_written(calls):
    with early_start.of_export_check():
        progress.emit(progress.StepProgress(fraction=0.1, doing="fits iALS"))
        assert not calls
        progress.emit(progress.StepProgress(fraction=0.95, doing="writes the model"))
        assert calls == ["get_ready"]
    assert calls == ["get_ready", "forget"]


def test_nothing_is_left_after_a_failure(calls):
    before = list(progress.observers)
    with pytest.raises(RuntimeError, match="disk"), early_start.of_export_check():
        raise RuntimeError("disk")
    assert calls == ["forget"]
    assert progress.observers == before


def test_a_process_that_cannot_start_early_does_not_end_the_training(monkeypatch):
    def fail():
        raise BlockingIOError("Resource temporarily unavailable")

    monkeypatch.setattr(check, "get_ready", fail)
    with early_start.of_export_check():
        progress.emit(progress.StepProgress(fraction=0.95, doing="writes the model"))


@pytest.mark.parametrize(
    ("wanted", "size", "expected"),
    [(None, 299, []), (None, 300, ["starts"]), (1, 300, []), (2, 299, ["starts"])],
)
def test_the_server_starts_if_the_first_node_needs_it(
    tmp_path, monkeypatch, wanted, size, expected
):
    made = []
    monkeypatch.setattr(fork_server, "get_ready", lambda: made.append("starts"))
    monkeypatch.setattr(fork_server, "forget", lambda: made.append("ends"))
    monkeypatch.setattr(workers, "FROM_BYTES", 100)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    monkeypatch.setattr(workers.free_memory, "free_bytes", lambda: 1 << 36)
    (tmp_path / "a.csv").write_bytes(b"0" * size)
    with early_start.of_beam(wanted, str(tmp_path / "a.csv")):
        assert made == expected
    assert made == [*expected, "ends"]


@pytest.mark.parametrize(("rows", "expected"), [(4, []), (10, ["starts"])])
def test_a_run_with_a_file_a_day(tmp_path, monkeypatch, rows, expected):
    """The files of all days count; no file has the name with the marks."""
    made = []
    monkeypatch.setattr(fork_server, "get_ready", lambda: made.append("starts"))
    monkeypatch.setattr(workers, "FROM_BYTES", 100)
    monkeypatch.setattr(workers.cores, "usable", lambda: 2)
    monkeypatch.setattr(workers.free_memory, "free_bytes", lambda: 1 << 36)
    monkeypatch.setattr(running, "_run_pipeline", lambda *_: made.append("nodes"))
    for day in (1, 2):
        text = "user,item,time\n" + "u,i,1262304000\n" * rows
        (tmp_path / f"2010-01-0{day}.csv").write_text(text)
    settings = config.load(dataset=str(tmp_path / "{YYYY}-{MM}-{DD}.csv"))
    found = inputs.find_data(settings, None)
    running.run(settings, found, out=tmp_path / "out", quiet=True)
    assert made == [*expected, "nodes"]
