"""`ncf versions` lists, `ncf rollback` takes back."""

import json

import pytest
from typer import testing

from components.report.document import Summary
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord
from pipeline import cli
from pipeline.local import quality

METRICS = {"ndcg@10": 0.5}


def _run(*arguments):
    return testing.CliRunner().invoke(cli.app, [str(a) for a in arguments])


@pytest.fixture
def out(tmp_path, push):
    """Returns a run's folder with versions 3, 4 and 5; the last two are one model."""
    for name, first in (("a", 0), ("b", 1)):
        push(tmp_path / "models", name, first=first)
    for number, name in ((3, "a"), (4, "b"), (5, "a"), (6, "b")):
        versions.push(
            tmp_path / "serving",
            tmp_path / "models" / name,
            number=number,
            record=VersionRecord(
                dataset="shop", run=f"r{number}", metrics={"ndcg@10": 0.5}
            ),
        )
    return tmp_path


def _listed(out):
    return json.loads(_run("versions", out, "--json").stdout)


def test_lists_the_served_one_first(out):
    rows = _listed(out)
    numbers = [row["version"] for row in rows]
    assert numbers == sorted(numbers, reverse=True)
    assert [row["served"] for row in rows] == [True, False, False, False]
    assert rows[0]["dataset"] == "shop"
    assert rows[0]["run"] == "r6"
    assert rows[0]["metrics"] == METRICS
    text = _run("versions", "--out", out).output
    assert "0.5000" in text
    assert "served" in text


def test_no_figure_is_cut_in_a_narrow_terminal(out, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    text = _run("versions", "--out", out).output
    assert "0.5000" in text
    assert "…" not in text


def test_names_what_is_broken_and_what_is_foreign(out):
    rows = _listed(out)
    model = out / "serving" / str(rows[1]["version"]) / "saved_model.pb"
    model.write_bytes(model.read_bytes()[:-1])
    (out / "serving" / "notes.txt").write_text("x")
    done = _run("versions", out)
    assert "notes.txt is no version" in done.output
    assert [bool(row["problem"]) for row in _rows_of(done, out)] == [False] * 3 + [True]


def _rows_of(done, out):
    assert done.exit_code == 0
    return json.loads(_run("versions", out, "--json").stdout)


def test_goes_back_to_the_model_before(out):
    before = _listed(out)
    done = _run("rollback", "--out", out, "--reason", "too many sequels")
    assert done.exit_code == 0, done.output
    rows = _listed(out)
    assert len(rows) == 5
    assert rows[0]["restores"] == before[1]["version"]
    newest = versions.newest(out / "serving")
    assert newest.record.rollback_reason == "too many sequels"
    assert (
        newest.record.digest == versions.look(out / "serving").versions[2].record.digest
    )


def test_going_back_twice_does_not_return_to_what_was_taken_back(tmp_path, push):
    for number, name in enumerate("abc", start=1):
        push(tmp_path / "models", name, first=number)
        model = tmp_path / "models" / name
        versions.push(tmp_path / "serving", model, number=number)
    assert "the model of 2." in _run("rollback", "--out", tmp_path).output
    assert "the model of 1." in _run("rollback", "--out", tmp_path).output
    refused = _run("rollback", "--out", tmp_path)
    assert refused.exit_code == 2
    assert "only if its version is named" in " ".join(refused.output.split())
    # If its version is named, a model that was taken back is served again.
    assert "the model of 3." in _run("rollback", 3, "--out", tmp_path).output


def test_goes_back_to_a_given_one(out):
    oldest = _listed(out)[-1]["version"]
    assert _run("rollback", oldest, "--out", out).exit_code == 0
    assert _listed(out)[0]["restores"] == oldest


def test_what_is_served_already_is_left(out):
    served = _listed(out)[0]["version"]
    done = _run("rollback", served, "--out", out)
    assert "nothing was done" in done.output
    assert _listed(out)[0]["version"] == served


def test_refuses_what_is_not_there(out, tmp_path):
    done = _run("rollback", 17, "--out", out)
    assert done.exit_code == 2
    assert "no whole version 17" in done.output
    done = _run("rollback", "--folder", tmp_path / "serving" / "none")
    assert done.exit_code == 2
    assert "There is no version" in done.output


def test_a_single_model_has_nothing_before_it(tmp_path, push):
    push(tmp_path / "models", "a")
    versions.push(tmp_path / "serving", tmp_path / "models" / "a")
    done = _run("rollback", "--out", tmp_path)
    assert done.exit_code == 2
    assert "there is none to go back to" in done.output.replace("\n", " ")


def _summary(pushed_to, metrics):
    return Summary(
        dataset="ml",
        num_users=1,
        num_items=1,
        num_interactions=1,
        metrics=metrics,
        pushed_to=pushed_to,
        train={"examples_per_second": 1, "epochs": 1, "best_epoch": 1, "final_loss": 1},
    )


def test_a_runs_figures_are_noted(out):
    served = _listed(out)[0]
    path = f"{out}/serving/{served['version']}"
    quality.note(_summary(path, {"hit_rate@10": 0.625}))
    assert _listed(out)[0]["dataset"] == "ml"
    assert "0.6250" in _run("versions", out).output
    # The rest of the record stays.
    assert _listed(out)[0]["run"] == served["run"]


def test_nothing_pushed_or_pushed_by_something_else(out, push):
    quality.note(_summary(None, {}))
    push(out / "serving", 9)
    quality.note(_summary(f"{out}/serving/9", {}))
    assert all(row["dataset"] != "ml" for row in _listed(out))
