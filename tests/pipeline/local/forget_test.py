"""Old runs are removed from ML Metadata, unless served or used by later runs."""

import sqlite3

import pytest
from typer import testing

from ncf_model.serving import folders
from pipeline import cli
from pipeline.local import forget, gc, lineage, lock, runs
from pipeline.local.store import FILE, Store
from tests.pipeline.local.conftest import CACHED, COMPLETE, FAILED, pushing_run, serve


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
    assert forget.executions(warm_runs, history=1) == set()  # No artifact is gone.
    _clear(warm_runs)
    forgotten = forget.executions(warm_runs, history=1)
    # Run 3 stays: the latest run began with its model.
    assert len(forgotten) == 2 * 5
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
    # The records still tell from which data and which other model the model of run 3
    # was made, and what it was used for.
    assert {uri.partition("pipeline_root/")[2] for uri in gone} == {
        *("ExampleGen/3", "Trainer/model/2", "Evaluator/2"),
        *("Pusher/3", "Report/3"),
    }
    assert lineage.trace(warm_runs, 4).inputs[0].inputs[0] == served.inputs[0].inputs[0]
    before, last = runs.rows(warm_runs)
    assert (last.pushed, last.hit_rate) == (4, 0.5)
    assert (before.state, before.hit_rate, before.pushed) == ("done", 0.5, 3)
    assert gc.plan(warm_runs, keep=1) == []
    reports = warm_runs / "pipeline_root" / "Report"
    assert sorted(folder.name for folder in reports.iterdir()) == ["3", "4"]


@pytest.fixture
def one_schema(tmp_path, recorder):
    """Returns a folder: four runs have the schema of the first; each pushes a model."""
    schema = recorder.artifact("Schema", "ImportSchemaGen/1")
    for number in range(1, 5):
        data = recorder.artifact("Examples", f"ExampleGen/{number}")
        state = COMPLETE if number == 1 else CACHED
        recorder.execution(
            recorder.run(f"run {number}"), "ImportSchemaGen", state, outputs=[schema]
        )
        pushing_run(recorder, number, data, epochs=1)
    serve(tmp_path / "serving" / "2")
    return tmp_path


def test_a_run_of_which_only_cached_results_are_left_is_forgotten(one_schema):
    assert len(runs.rows(one_schema)) == 4
    _clear(one_schema)
    forget.forget(one_schema, history=1)
    # The model of run 2 is in service, and run 4 is the latest.
    assert [row.pushed for row in runs.rows(one_schema)] == [2, 4]
    assert {row.state for row in runs.rows(one_schema)} == {"done"}
    # The execution that made the schema stays, so that later runs find it in the cache.
    store = Store(one_schema)
    [schema] = [a for a in store.artifacts.values() if a.type == "Schema"]
    maker = store.producer(schema.id)
    assert (maker.node, maker.state) == ("ImportSchemaGen", "COMPLETE")
    assert forget.executions(one_schema, history=1) == set()
    # That execution, which belongs to no run any more, goes once its result is gone.
    store.mark_deleted([schema.id])
    assert maker.id in forget.executions(one_schema, history=1)


def test_a_report_that_a_later_run_took_from_the_cache_stays(tmp_path, recorder):
    data = recorder.artifact("Examples", "ExampleGen/1")
    pushing_run(recorder, 1, data, epochs=1)
    serve(tmp_path / "serving" / "1")
    for number in (2, 3):  # These runs took every result from the cache.
        run = recorder.run(f"run {number}")
        for artifact in Store(tmp_path).artifacts.values():
            node = {"Examples": "ExampleGen", "ncf.RunReport": "Report"}.get(
                artifact.type, artifact.type
            )
            recorder.execution(run, node, CACHED, outputs=[artifact.id])
    _clear(tmp_path)
    assert forget.forget(tmp_path, history=1) == 5  # Those of run 2.
    assert [row.hit_rate for row in runs.rows(tmp_path)] == [0.5, 0.5]


def test_a_run_that_keeps_its_artifacts_keeps_its_record(tmp_path, recorder):
    """The second of three runs failed, and `--keep` is larger than `--forget`."""
    for number in (1, 2, 3):
        data = recorder.artifact("Examples", f"ExampleGen/{number}")
        if number == 2:
            run = recorder.run("run 2")
            recorder.execution(run, "ExampleGen", COMPLETE, outputs=[data])
            recorder.execution(run, "Trainer", FAILED, [data])
        else:
            pushing_run(recorder, number, data, epochs=1)
    serve(tmp_path / "serving" / "3")
    before = _rows(tmp_path)
    asked = ["gc", "--out", str(tmp_path), "--forget", "1", "--delete", "--keep"]
    done = testing.CliRunner().invoke(cli.app, [*asked, "3"])
    assert "Forgot 0 executions" in done.output
    assert _rows(tmp_path) == before
    testing.CliRunner().invoke(cli.app, [*asked, "1"])
    assert [row.number for row in runs.rows(tmp_path)] == [1]


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
    assert "Would forget 10 executions" in listed.output
    assert _rows(warm_runs) == before
    assert "Forgot 10 executions" in _ncf(warm_runs, "--forget", "1", "--delete").output
    refused = _ncf(warm_runs, "--forget", "0")
    assert refused.exit_code == 2
    assert "must leave 1 run or more" in refused.output
