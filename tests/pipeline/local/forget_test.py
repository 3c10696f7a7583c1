"""Old runs leave ML Metadata; what is served, and what later runs use, does not."""

import sqlite3

from typer import testing

from ncf_model.serving import folders
from pipeline import cli
from pipeline.local import forget, gc, lineage, lock, runs
from pipeline.local.store import FILE, Store


def _rows(out):
    with sqlite3.connect(out / FILE) as database:
        tables = ("Execution", "Artifact", "Event", "Context", "Association")
        return {
            table: database.execute(f"SELECT COUNT(*) FROM {table}").fetchone()[0]
            for table in tables
        }


def _clear(out, keep=1):
    gc.remove(out, gc.plan(out, keep=keep))


def test_only_what_is_gone_is_forgotten(warm_runs):
    before = _rows(warm_runs)
    assert forget.executions(warm_runs, history=1) == set()  # All is there.
    _clear(warm_runs)
    forgotten = forget.executions(warm_runs, history=1)
    # Of run 3 stays what the latest run began with: its model and blessing.
    assert len(forgotten) == 2 * 5 + 3
    assert forget.executions(warm_runs, history=4) == set()
    assert forget.forget(warm_runs, history=1) == len(forgotten)
    after = _rows(warm_runs)
    assert after["Execution"] == before["Execution"] - len(forgotten)
    # Runs 1 and 2 are gone.
    assert after["Context"] == before["Context"] - 2
    assert forget.forget(warm_runs, history=1) == 0


def test_what_is_left_can_be_read_and_cleared_as_before(warm_runs):
    served = lineage.trace(warm_runs, 4)
    _clear(warm_runs)
    forget.forget(warm_runs, history=1)
    store = Store(warm_runs)
    gone = [artifact.uri for artifact in store.artifacts.values() if not artifact.live]
    # From what data and which other model that of run 3 was made is remembered.
    assert {uri.partition("pipeline_root/")[2] for uri in gone} == {
        "ExampleGen/3",
        "Trainer/model/2",
        "Evaluator/2",
    }
    assert lineage.trace(warm_runs, 4).inputs[0].inputs[0] == served.inputs[0].inputs[0]
    *_, last = runs.rows(warm_runs)
    assert (last.pushed, last.hit_rate) == (4, 0.5)
    assert gc.plan(warm_runs, keep=1) == []
    reports = warm_runs / "pipeline_root" / "Report"
    assert sorted(folder.name for folder in reports.iterdir()) == ["4"]


def test_not_while_a_run_is_going_on(warm_runs):
    before, files = _rows(warm_runs), folders.sizes(str(warm_runs / "pipeline_root"))
    with lock.alone(warm_runs, doing="ncf run"):
        refused = _ncf(warm_runs, "--forget", "1", "--delete")
    assert refused.exit_code == 2
    assert "ncf run" in refused.output
    assert _rows(warm_runs) == before
    assert folders.sizes(str(warm_runs / "pipeline_root")) == files


def _ncf(out, *arguments):
    asked = ["gc", "--out", str(out), "--keep", "1", *arguments]
    return testing.CliRunner().invoke(cli.app, asked)


def test_the_command_lists_and_forgets(warm_runs):
    before = _rows(warm_runs)
    refused = _ncf(warm_runs, "--forget", "0", "--delete")
    assert refused.exit_code == 2
    assert "Would remove 0" not in _ncf(warm_runs).output  # Nothing was removed.
    listed = _ncf(warm_runs, "--forget", "1")
    assert "Would forget 13 executions" in listed.output
    assert _rows(warm_runs) == before
    assert "Forgot 13 executions" in _ncf(warm_runs, "--forget", "1", "--delete").output
    refused = _ncf(warm_runs, "--forget", "0")
    assert refused.exit_code == 2
    assert "must leave 1 run or more" in refused.output
