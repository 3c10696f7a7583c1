import pytest
from tfx.types import channel, standard_artifacts

from components.latest_pushed_model import component, executor, spec


def _write(folder, content, *, complete=True):
    """Writes the two files by which models are told apart."""
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_text(content)
    if complete:
        (folder / "saved_model.pb").write_bytes(b"\x08\x01")
        (folder / "variables" / "variables.data-00000-of-00001").write_text("")


def _run(tmp_path, candidate="candidate"):
    """Returns the output artifact."""
    new, found = standard_artifacts.Model(), standard_artifacts.Model()
    new.uri, found.uri = str(tmp_path / "new"), str(tmp_path / "found")
    _write(tmp_path / "new" / "Format-Serving", candidate)
    executor.Executor().Do(
        {spec.CANDIDATE_KEY: [new]},
        {spec.MODEL_KEY: [found]},
        {spec.SERVING_KEY: str(tmp_path / "serving")},
    )
    return found


def _content(tmp_path):
    found = tmp_path / "found" / "Format-Serving" / "variables" / "variables.index"
    return found.read_text()


def test_copies_the_highest_version(tmp_path):
    for version in ("9", "10", "2"):
        _write(tmp_path / "serving" / version, f"model {version}")
    found = _run(tmp_path)
    assert _content(tmp_path) == "model 10"
    assert found.get_string_custom_property("pushed_version") == "10"


def test_passes_over_a_version_that_is_still_being_copied(tmp_path):
    _write(tmp_path / "serving" / "1", "model 1")
    _write(tmp_path / "serving" / "2", "model 2", complete=False)
    _run(tmp_path)
    assert _content(tmp_path) == "model 1"


def test_passes_over_copies_of_the_candidate(tmp_path):
    _write(tmp_path / "serving" / "1", "model 1")
    _write(tmp_path / "serving" / "2", "candidate")
    _run(tmp_path)
    assert _content(tmp_path) == "model 1"


@pytest.mark.parametrize("versions", [None, [], ["candidate"]])
def test_nothing_to_find_leaves_the_output_empty(tmp_path, versions):
    if versions is not None:
        (tmp_path / "serving").mkdir()
    for number, content in enumerate(versions or ()):
        _write(tmp_path / "serving" / str(number), content)
    found = _run(tmp_path)
    assert not (tmp_path / "found").exists()
    assert found.get_string_custom_property("pushed_version") == ""


def test_component():
    node = component.LatestPushedModel(
        candidate=channel.Channel(type=standard_artifacts.Model), serving="gs://b/s"
    )
    assert node.exec_properties == {"serving": "gs://b/s"}
    assert node.outputs["model"].type is standard_artifacts.Model
