"""The history of runs: what is listed, traced and cleared away."""

import dataclasses
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import time

import numpy as np
import psutil
import pytest
from ml_metadata.proto import metadata_store_pb2
from typer import testing

from ncf_model.serving import versions
from pipeline import cli
from pipeline.local import (
    compare,
    gc,
    history_cli,
    lineage,
    lock,
    memory,
    run_record,
    runs,
    tensorboard,
)
from pipeline.local.store import Store

RUNNING = metadata_store_pb2.Execution.RUNNING


def _ncf(*arguments):
    result = testing.CliRunner().invoke(cli.app, [str(a) for a in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def test_a_row_says_what_came_of_a_run(three_runs):
    first, second, third = runs.rows(three_runs)
    assert (first.number, first.pushed, first.served) == (1, 1, False)
    assert (second.number, second.pushed, second.served) == (2, 2, True)
    assert (first.changes, second.changes) == ({}, {"train.epochs": 3})
    assert (second.dataset, second.hit_rate, second.blessed) == ("tiny <b>", 0.5, True)
    assert third.state == "failed at Trainer"
    assert (third.blessed, third.pushed, third.hit_rate) == (None, None, None)


def test_after_rollbacks_the_run_of_the_restored_model_is_served(three_runs):
    serving = three_runs / "serving"
    shutil.copytree(serving / "2", serving / "1")
    (serving / "1" / "variables" / "variables.index").write_text("other")
    back = versions.restore(serving, 1).version.number
    assert [row.served for row in runs.rows(three_runs)] == [True, False, False]
    versions.restore(serving, 2)
    versions.restore(serving, back)
    assert [row.served for row in runs.rows(three_runs)] == [True, False, False]


def test_a_run_that_is_at_work_is_not_called_stopped(recorder):
    with lock.alone(recorder.out, doing="a run"):
        run = recorder.run("run 1")
        recorder.execution(run, "Trainer", RUNNING)
        assert runs.rows(recorder.out)[-1].state == "running, at Trainer"
    # A process id that a killed process left in the file is no lock.
    (recorder.out / lock.FILE).write_text('{"pid": 1}')
    assert runs.rows(recorder.out)[-1].state == "died at Trainer"


@pytest.mark.parametrize(
    ("state", "said"), [("RUNNING", "died at"), ("COMPLETE", "stopped after")]
)
def test_the_run_before_is_not_the_one_that_starts_up(recorder, state, said):
    number = metadata_store_pb2.Execution.State.Value(state)
    recorder.execution(recorder.run("run 1"), "Trainer", number)
    with lock.alone(recorder.out, doing="a run"):
        later = time.time() + 1  # A file's time may be rounded.
        os.utime(recorder.out / lock.FILE, (later, later))
        assert runs.rows(recorder.out)[-1].state == f"{said} Trainer"


@pytest.mark.parametrize(
    ("state", "properties", "said"),
    [
        ("CANCELED", {}, "stopped at Trainer"),
        ("FAILED", {}, "failed at Trainer"),
        ("FAILED", {"died": 1}, "died at Trainer"),
    ],
)
def test_how_a_run_ended(recorder, state, properties, said):
    run = recorder.run("run 1")
    state = metadata_store_pb2.Execution.State.Value(state)
    recorder.execution(run, "Trainer", state, **properties)
    assert runs.rows(recorder.out)[-1].state == said


def test_the_list_of_runs_for_people_and_for_programs(three_runs):
    text = " ".join(_ncf("runs", "--out", three_runs).split())
    assert "pushed as 2, served now" in text
    assert "failed at Trainer" in text
    rows = json.loads(_ncf("runs", "--out", three_runs, "--json"))
    assert [row["number"] for row in rows] == [1, 2, 3]


def test_the_list_breaks_no_figure_in_a_narrow_terminal(three_runs, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    lines = _ncf("runs", "--out", three_runs).splitlines()
    [second] = [line for line in lines if line.startswith("2 ")]
    assert "0.5000 pushed as 2" in second
    assert max(map(len, lines[1:])) <= 60


def test_the_list_tells_what_was_changed_since_the_run_before(three_runs):
    first, second, third = runs.rows(three_runs)
    read = {"data.dataset": "a.csv", "train.epochs": 3}
    rows = [
        dataclasses.replace(first, changes=read),
        dataclasses.replace(second, changes=read | {"seed": 7}),
        dataclasses.replace(third, changes={}),  # It failed before it was recorded.
        dataclasses.replace(second, changes={"data.dataset": "b.csv", "seed": 7}),
    ]
    assert history_cli.changes(rows) == [
        "train.epochs=3",
        "seed=7",
        "",
        "data.dataset=b.csv\ntrain.epochs as by default",
    ]


def test_a_run_without_figures_is_not_compared(three_runs):
    arguments = ["compare", "2", "3", "--out", str(three_runs)]
    result = testing.CliRunner().invoke(cli.app, arguments)
    assert result.exit_code == 2
    said = result.output.replace("\n", " ")
    assert "has no figures to compare: failed at Trainer" in said


def test_a_list_of_users_that_is_cut_says_so(capsys):
    moved = [
        compare.RankChange("ann", "i1", 20, 1),
        compare.RankChange("bo", "i2", 12, 2),
    ]
    found = compare.RunComparison(
        first="run 1 in a",
        second="run 2 in a",
        config={},
        figures={},
        lists=9,
        paired={},
        gained=5,
        lost=1,
        users_gained=moved,
        users_lost=moved[:1],
    )
    history_cli._print_comparison(found)
    text = " ".join(capsys.readouterr().out.split())
    assert "5 users whose held-out item is among the first ten of run 2" in text
    assert "not of run 1; the 2 that moved most" in text
    assert "1 user whose held-out item is among the first ten of run 1, not of" in text
    assert text.count("moved most") == 1


def test_a_folder_that_has_no_such_run_is_quoted(three_runs):
    spaced = three_runs.rename(three_runs.with_name("a b"))
    with pytest.raises(ValueError, match=re.escape(f"`ncf runs --out '{spaced}'`")):
        compare.choose("9", spaced)


def test_runs_of_different_data_are_not_compared(tmp_path):
    class Run:
        name = "run 1 in a"

        def folder(self, type_name, node):
            return tmp_path

    assets = tmp_path / "Format-Serving" / "assets"
    assets.mkdir(parents=True)
    (assets / "item_id").write_text("1\n2\n")
    compare._check_same_data(Run(), Run(), [b"new", b"2"])
    with pytest.raises(ValueError, match="knows no item of the lists of run 1 in a"):
        compare._check_same_data(Run(), Run(), [b"new", b"12", b"3"])
    # The model of another program may have no such file, and is not checked.
    (assets / "item_id").unlink()
    compare._check_same_data(Run(), Run(), [b"new"])


def test_a_moved_folder_is_still_read(three_runs, tmp_path_factory):
    moved = three_runs.rename(tmp_path_factory.mktemp("elsewhere") / "moved")
    assert [row.hit_rate for row in runs.rows(moved)] == [0.5, 0.5, None]


def test_says_what_to_do_where_nothing_ran(tmp_path):
    result = testing.CliRunner().invoke(cli.app, ["runs", "--out", str(tmp_path)])
    assert result.exit_code == 2
    assert "no run was recorded there" in result.output.replace("\n", " ")


def test_lineage_goes_back_to_the_file(three_runs):
    pushed = lineage.trace(three_runs, 2)
    assert (pushed.node, pushed.run) == ("Pusher", 2)
    model = pushed.inputs[0]
    assert (model.node, model.run) == ("Trainer", 2)
    [examples] = model.inputs
    # The examples were made in run 1; run 2 took them from the cache.
    assert (examples.node, examples.run) == ("ExampleGen", 1)
    assert examples.source == "/data/a[1].csv"
    assert pushed.inputs[1].inputs[0].seen  # The blessing's model is the same one.
    assert "/data/a[1].csv" in _ncf("lineage", 2, "--out", three_runs)


def test_what_a_resolver_found_is_none_of_its_works(three_runs):
    store = Store(three_runs)
    found = store.runs[2].execution("LatestBlessedModel")
    assert (len(found.inputs), found.outputs) == (2, ())
    described = run_record.describe(store, store.runs[2])
    [node] = [n for n in described.nodes if n.name == "LatestBlessedModel"]
    assert (node.inputs, node.outputs) == (sorted(found.inputs), [])


def test_lineage_of_an_unknown_version_names_those_that_are_known(three_runs):
    with pytest.raises(ValueError, match="pushed version 7; pushed were: 1, 2"):
        lineage.trace(three_runs, 7)


def test_clearing_keeps_what_the_served_model_and_recent_runs_need(three_runs):
    listed = _ncf("gc", "--out", three_runs, "--keep", 1)
    assert "Nothing was changed" in listed
    removals = gc.plan(three_runs, keep=1)
    folders = {removal.folder.partition("pipeline_root/")[2] for removal in removals}
    pages = {"Report/1", "Report/2"}
    assert folders == {"Trainer/model/1", "Evaluator/1", "Pusher/1"} | pages
    assert {removal.bytes for removal in removals} == {10}
    assert gc.plan(three_runs, keep=3) == []


def test_clearing_tells_ml_metadata_and_keeps_the_history(three_runs):
    removals = gc.plan(three_runs, keep=2)
    _ncf("gc", "--out", three_runs, "--keep", 2, "--delete")
    assert gc.plan(three_runs, keep=2) == []
    left = Store(three_runs).artifacts
    assert {a.id for a in left.values() if not a.live} == {r.id for r in removals}
    assert [row.hit_rate for row in runs.rows(three_runs)] == [0.5, 0.5, None]
    assert (three_runs / "pipeline_root" / "Trainer" / "model" / "2").is_dir()


def test_clearing_keeps_no_chain_of_models_that_began_with_each_other(warm_runs):
    removals = gc.plan(warm_runs, keep=1)
    gone = {removal.folder.partition("pipeline_root/")[2] for removal in removals}
    # Model 3 was an input of the latest run; the data that it came from were not.
    trained = {f"{of}/{n}" for of in ("Trainer/model", "ExampleGen") for n in (1, 2)}
    assert {*trained, "ExampleGen/3"} <= gone
    assert not {"Trainer/model/3", "Trainer/model/4", "ExampleGen/4"} & gone


def test_clearing_takes_old_pages_and_logs_and_leaves_summaries(three_runs):
    pages = [
        three_runs / "pipeline_root" / "Report" / str(number) / "index.html"
        for number in (1, 2)
    ]
    logs = [three_runs / "logs" / f"{number}.log" for number in (1, 2)]
    starts = [run.started for run in Store(three_runs).runs]
    for file in (*pages, *logs):
        file.parent.mkdir(exist_ok=True)
        file.write_text("12345")
    for log, start in zip(logs, starts, strict=False):
        os.utime(log, (start, start))
    gc.remove(three_runs, gc.plan(three_runs, keep=2))
    assert [file.exists() for file in (*pages, *logs)] == [False, True, False, True]
    assert runs.rows(three_runs)[0].hit_rate == 0.5
    assert gc.plan(three_runs, keep=2) == []


def test_clearing_keeps_the_last_logs_after_the_clock_went_back(three_runs):
    with sqlite3.connect(three_runs / "metadata.sqlite") as records:
        records.execute(
            "UPDATE Context SET create_time_since_epoch = "
            "create_time_since_epoch + 86400000 WHERE name = 'run 2'"
        )
    log = three_runs / "logs" / "3.log"
    log.parent.mkdir()
    log.write_text("of run 3")
    assert str(log) not in [one.folder for one in gc.plan(three_runs, keep=2)]
    assert str(log) not in [one.folder for one in gc.plan(three_runs, keep=1)]


def test_clearing_refuses_to_keep_nothing(three_runs):
    with pytest.raises(ValueError, match="must be 1 or more; got 0"):
        gc.plan(three_runs, keep=0)


def test_a_cached_node_has_the_seconds_of_its_computation(three_runs, store):
    run = run_record.describe(store, store.runs[1], memory=lambda start, end: 5.0)
    node = run.nodes[0]
    first = store.runs[0].executions[0]
    assert (node.name, node.cached) == ("ExampleGen", True)
    assert node.seconds == round(first.seconds, 2)
    assert node.memory_mb is None
    assert run.nodes[1].memory_mb == 5.0
    assert {a.type for a in run.artifacts} >= {"Examples", "Model", "PushedModel"}


def test_memory_is_the_peak_between_two_times():
    measured = memory.Memory()
    measured._times, measured._bytes = (
        [1.0, 2.0, 3.0],
        [10_000_000, 30_000_000, 20_000_000],
    )
    assert measured.between(0.5, 2.5) == 30.0
    assert measured.between(2.2, 2.8) == 30.0  # The measurement before.
    assert measured.between(0.0, 0.5) is None


_FORKS = """
import os, time
data = b"0" * 400_000_000
child = os.fork()
child or time.sleep(600)
print("ready", flush=True)
input()
os.kill(child, 9)
"""


def test_pages_that_forked_processes_share_count_once():
    """Of two processes that share 400 MB, the second counts with half of them."""
    with subprocess.Popen(
        [sys.executable, "-c", _FORKS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as run:
        assert run.stdout.readline() == b"ready\n"
        in_use = memory._in_use(psutil.Process(run.pid))
        run.communicate(b"\n")
    assert 550e6 < in_use < 700e6


def test_the_error_of_a_difference_is_that_of_pairs():
    # One list is gained and two stay as they are: differences 1, 0, 0.
    found = compare.paired(np.array([20, 0, 30]), np.array([0, 0, -1]))["hit_rate@10"]
    assert (found.first, found.second) == (1 / 3, 2 / 3)
    assert found.difference == pytest.approx(1 / 3)
    assert found.error == pytest.approx(1 / 3)  # sqrt((4 + 1 + 1) / 9 / 2 / 3)


def test_the_projector_gets_a_name_for_each_vector(tmp_path):
    names = [("1", "A\tB"), ("2", "")]
    tensorboard.write_projector(tmp_path, np.array([[0.5, 1.0], [2.0, 3.0]]), names)
    assert (tmp_path / "items.tsv").read_text().splitlines() == ["0.5\t1", "2\t3"]
    lines = (tmp_path / "names.tsv").read_text().splitlines()
    assert lines == ["item\ttitle", "1\tA B", "2\t"]
    assert (
        'tensor_path: "items.tsv"' in (tmp_path / "projector_config.pbtxt").read_text()
    )


IMPORTED = """
import sys
import time
from pipeline.local import gc, history_cli, lineage, runs
from pipeline import config_fields
for name in ("tfx", "tensorflow", "matplotlib", "apache_beam"):
    assert name not in sys.modules, name
"""


def test_the_commands_load_neither_tfx_nor_tensorflow():
    subprocess.run([sys.executable, "-c", IMPORTED], check=True)
