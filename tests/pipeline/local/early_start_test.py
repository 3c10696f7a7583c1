"""ExportCheck's process starts when Trainer begins to write the model."""

import pytest

from components.export_check import check
from ncf_model import progress
from pipeline.local import early_start


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
