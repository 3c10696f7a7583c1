"""Answers name the model that gave them, and the users that it does not know."""

import json

import pytest
from typer import testing

from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord
from pipeline import cli
from pipeline.serving import provenance


@pytest.fixture
def out(tmp_path, push):
    """A run's folder with a version that has a record, as Pusher leaves it."""
    push(tmp_path / "model", 1)
    serving = tmp_path / "runs" / "ncf-shop" / "serving"
    model = tmp_path / "model" / "1"
    versions.push(str(serving), str(model), record=VersionRecord(dataset="shop"))
    return tmp_path / "runs" / "ncf-shop"


def _ask(out, *arguments):
    command = ["recommend", "--out", str(out), "-k", "2", *arguments]
    result = testing.CliRunner().invoke(cli.app, command)
    assert result.exit_code == 0, result.output
    return result


def _report(out, **summary):
    (out / "report").mkdir()
    (out / "report" / "summary.json").write_text(json.dumps(summary))


def test_run_version_and_date_are_named(out, monkeypatch):
    monkeypatch.chdir(out.parents[1])
    [version] = versions.look(str(out / "serving")).versions
    told = _ask(out, "--user", "ann").stderr
    assert f"shop, version {version.number} of runs/ncf-shop, pushed 20" in told
    assert "not in the training data" not in told


def test_a_user_that_is_not_known_is_told_and_near_ones_are_named(out):
    result = _ask(out, "--user", "anne", "--user", "zzz", "--user", "bob")
    assert "User anne is not in the training data; showing the most popular" in (
        result.stderr
    )
    assert "Near it: ann." in result.stderr
    assert "User zzz is not in the training data" in result.stderr
    assert "User bob" not in result.stderr


def test_a_newer_run_that_was_refused_is_told(out):
    assert provenance.refused_since(str(out / "serving" / "1")) == ""
    _report(out, blessed=False, pushed_to=None, not_blessed_because=["0.5 < 0.6"])
    told = " ".join(_ask(out, "--user", "ann").stderr.split())
    assert "The newest run was refused" in told
    assert "0.5 < 0.6" in told


def test_a_newer_run_that_failed_is_told(out):
    (out / "report.before").mkdir()
    assert "A newer run failed" in _ask(out, "--user", "ann").stderr


def test_nothing_is_said_of_the_run_that_pushed_it(out):
    [version] = versions.look(str(out / "serving")).versions
    _report(out, blessed=True, pushed_to=version.path, not_blessed_because=[])
    assert provenance.refused_since(version.path) == ""


def test_csv_and_json_are_all_that_standard_output_gets(out):
    lines = _ask(out, "--user", "ann", "--csv").stdout.splitlines()
    assert lines == [
        "user,rank,item_id,title,score",
        "ann,1,i0,,1.0",
        "ann,2,i1,,0.5",
    ]
    [found] = json.loads(_ask(out, "--user", "nobody", "--json").stdout)
    assert found["user"] == "nobody"
