import json
import shutil

import pytest
from tfx.types import channel, standard_artifacts

from components.latest_pushed_model import component, executor, spec
from ncf_model.serving import folders


def _write(folder, content, *, complete=True):
    """Writes two files of a SavedModel; `content` tells models apart."""
    (folder / "variables").mkdir(parents=True)
    (folder / "variables" / "variables.index").write_text(content)
    if complete:
        (folder / "saved_model.pb").write_bytes(b"\x08\x01")
        (folder / "variables" / "variables.data-00000-of-00001").write_text("")


def _push(serving, number, *, content=None, **record):
    """Writes a version, whose default content is its number, and its record."""
    _write(serving / str(number), content or f"model {number}")
    noted = {"digest": folders.digest(str(serving / str(number))), **record}
    (serving / ".ncf" / "versions").mkdir(parents=True, exist_ok=True)
    (serving / ".ncf" / "versions" / f"{number}.json").write_text(json.dumps(noted))
    return noted["digest"]


def _run(tmp_path, candidate="candidate"):
    """Runs the executor; returns the artifact of the latest pushed model.

    The best model is in the folder `best`, and further ones are in the file `more`.
    """
    new, found = standard_artifacts.Model(), standard_artifacts.Model()
    new.uri, found.uri = str(tmp_path / "new"), str(tmp_path / "found")
    best = standard_artifacts.Model()
    best.uri = str(tmp_path / "best")
    _write(tmp_path / "new" / "Format-Serving", candidate)
    executor.Executor().Do(
        {spec.CANDIDATE_KEY: [new]},
        {spec.MODEL_KEY: [found], spec.BEST_MODEL_KEY: [best]},
        {spec.SERVING_KEY: str(tmp_path / "serving")},
    )
    more = best.get_string_custom_property("more_best")
    (tmp_path / "more").write_text(more or "[]")
    return found


def _more(tmp_path):
    return json.loads((tmp_path / "more").read_text())


def _content(tmp_path, key="found"):
    found = tmp_path / key / "Format-Serving" / "variables" / "variables.index"
    return found.read_text() if found.exists() else None


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


@pytest.mark.parametrize(
    ("levels", "best", "more"),
    [
        (["0.0"], None, []),
        (["0.0", "-0.01"], "model 1", []),
        # The latest has the highest level, but on a run's lists another may be better.
        (["0.0", "0.01"], "model 1", []),
        (["0.0", "0.0", "0.0"], "model 2", [1]),  # Of equal levels the newer.
        ([None, "-0.01"], None, []),  # Old records have no level.
        (["0.1", "0.2", "0.3", "0.0"], "model 3", [2, 1]),
    ],
)
def test_copies_the_best_beside_the_latest_and_names_more(tmp_path, levels, best, more):
    serving = tmp_path / "serving"
    for number, level in enumerate(levels, start=1):
        blessing = {} if level is None else {"level": level}
        _push(serving, number, blessing=blessing)
    _run(tmp_path)
    assert _content(tmp_path) == f"model {len(levels)}"
    assert _content(tmp_path, "best") == best
    assert _more(tmp_path) == [
        {"id": n, "uri": str(serving / str(n)), "level": float(levels[n - 1])}
        for n in more
    ]


def test_a_version_put_there_by_hand_counts_as_the_best(tmp_path):
    serving = tmp_path / "serving"
    for number, level in enumerate(("0.4", "0.3"), start=1):
        _push(serving, number, blessing={"level": level})
    _write(serving / "3", "by hand")
    found = _run(tmp_path)
    assert _content(tmp_path) == "by hand"
    assert found.get_string_custom_property("level") == "0.4"
    assert _content(tmp_path, "best") == "model 1"
    # A model whose level was assumed and not measured cannot be the best.
    assumed = {"level": "0.4", "level_is_assumed": 1}
    _push(serving, 4, blessing=assumed)
    _push(serving, 5, blessing={"level": "0.2"})
    shutil.rmtree(tmp_path / "new")
    shutil.rmtree(tmp_path / "found")
    shutil.rmtree(tmp_path / "best")
    _run(tmp_path)
    assert _content(tmp_path, "best") == "model 1"


def test_the_best_are_eight_and_each_is_one_model(tmp_path):
    for number in range(1, 12):
        _push(tmp_path / "serving", number, blessing={"level": f"0.{number:02}"})
    again = "model 11"  # A rollback makes a second version.
    _push(tmp_path / "serving", 12, content=again, blessing={"level": "0.11"})
    _run(tmp_path)
    assert _content(tmp_path) == again
    assert _content(tmp_path, "best") == "model 10"
    assert [told["id"] for told in _more(tmp_path)] == [9, 8, 7, 6, 5, 4, 3]


def test_a_model_that_was_taken_back_is_neither(tmp_path):
    serving = tmp_path / "serving"
    _push(serving, 1, blessing={"level": "0.0"})
    bad = _push(serving, 2, blessing={"level": "0.5"})
    _push(serving, 3, blessing={"level": "0.0"}, takes_back=[bad])
    _run(tmp_path, candidate="model 3")
    assert _content(tmp_path) == "model 1"
    assert _content(tmp_path, "best") is None


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
