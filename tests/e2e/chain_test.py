"""The real chain, from a file to a pushed model that answers, on made-up tastes.

Four groups of users each like their own twelve of 48 items, so a model that learned
anything is far above popularity, which knows of no groups.
"""

import json
import os
import pathlib
import subprocess
import sys

import nbclient
import nbformat
import numpy as np
import pseudo_terminal
import pytest
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

from ncf_model.serving import versions
from pipeline import config
from pipeline.serving import loaded_model
from tests.reliability import ncf_folder

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUPS = 4
USERS = 160
ITEMS_OF_GROUP = 12
NODES = [
    "ImportSchemaGen",
    "InteractionsExampleGen",
    "StatisticsGen",
    "StrictExampleValidator",
    "Transform",
    "NegativeSampling",
    "EvalContext",
    "ShrinkGuard",
    "Trainer",
    "ExportCheck",
    "LatestBlessedModel",
    "BlessedRanks",
    "Evaluator",
    "Pusher",
    "Report",
]
# Resolvers have no executor, and are run again in each run.
RESOLVERS = {"LatestBlessedModel", "ShrinkGuard"}
SETTINGS = [
    "train.epochs=12",
    "evaluation.gate.min_hit_rate=0.5",
]


def _group(item_id):
    return int(item_id.removeprefix("item ")) // ITEMS_OF_GROUP


def _write(file):
    """Writes 160 users, each with an item of any group, then eight of their group."""
    rng = np.random.default_rng(7)
    with open(file, "w", encoding="utf-8") as f:
        f.write("customer,sku,when\n")
        for user in range(USERS):
            own = rng.permutation(ITEMS_OF_GROUP)[:8] + user % GROUPS * ITEMS_OF_GROUP
            other = rng.integers(GROUPS * ITEMS_OF_GROUP)
            for time, item in enumerate([other, *own]):
                f.write(f"Zoë {user:04},item {item},{1_000_000 + time}\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("chain")
    _write(folder / "tastes.csv")
    return folder


def _command(folder, out, *settings):
    arguments = ["--dataset", str(folder / "tastes.csv"), "--out", str(folder / out)]
    for setting in [
        "data.columns.user=customer",
        "data.columns.item=sku",
        "data.columns.timestamp=when",
        *SETTINGS,
        *settings,
    ]:
        arguments += ["--set", setting]
    return [sys.executable, "-m", "pipeline.cli", "run", *arguments]


def _summary(folder, out):
    summary = folder / out / "report" / "summary.json"
    return json.loads(summary.read_text()) if summary.exists() else None


def _run(folder, out, *settings):
    """Runs the command with pipes for output; returns the process and the summary."""
    done = subprocess.run(
        _command(folder, out, *settings),
        cwd=ROOT,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "120"},
    )
    return done, _summary(folder, out)


def _store(out):
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(out / "metadata.sqlite")
    return metadata_store.MetadataStore(connection)


@pytest.fixture(scope="module")
def first(folder):
    """The first run, on a terminal; the output of the other runs goes to pipes."""
    screen = pseudo_terminal.run(_command(folder, "runs"), cwd=ROOT, columns=120)
    assert screen.returncode == 0, screen.text
    _check(folder)
    return screen, _summary(folder, "runs")


@pytest.fixture(scope="module")
def second(folder, first):
    return _run_checked(folder)


@pytest.fixture(scope="module")
def third(folder, second):
    """A run without `model.history`, which needs another learning rate."""
    pairs = ("model.history=null", "train.batch_size=128", "train.learning_rate=0.02")
    return _run_checked(folder, *pairs)


def _run_checked(folder, *settings):
    before = ncf_folder.served(folder / "runs")
    done, summary = _run(folder, "runs", *settings)
    assert done.returncode == 0, done.stdout + done.stderr
    _check(folder, before)
    return done, summary


def _check(folder, before=None):
    """Checks that report, ML Metadata and serving folder describe the same model."""
    lines = (folder / "tastes.csv").read_text().splitlines()[1:]
    items = {line.split(",")[1].encode() for line in lines}
    ncf_folder.check(folder / "runs", items, before)


def test_every_node_ran_once_in_order(first):
    _, summary = first
    assert list(summary["seconds"]) == NODES
    assert summary["cached"] == []


def test_the_terminal_shows_nodes_and_result_and_no_noise(folder, first):
    screen, _ = first
    for node in NODES:
        assert f"✓ {node}" in screen.text
    assert "HR@10" in screen.text
    assert "on these lists" in screen.text
    assert "Blessed, pushed to" in screen.text
    assert len(screen.lines) < 60
    assert "tensorflow" not in screen.raw.lower()
    [log] = (folder / "runs" / "logs").glob("*.log")
    assert log.stat().st_size > 50_000


def test_the_notebook_shows_the_run(folder, first, monkeypatch):
    monkeypatch.setenv("OUT", str(folder / "runs"))
    file = ROOT / "docs" / "notebooks" / "look-at-a-run.ipynb"
    notebook = nbformat.read(file, as_version=4)
    nbformat.validate(notebook)
    where = {"metadata": {"path": str(file.parent)}}
    nbclient.NotebookClient(notebook, timeout=600, resources=where).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert sum("image/png" in output.get("data", {}) for output in shown) == 2
    text = json.dumps(shown)
    assert f"{first[1]['num_interactions']:,} interactions" in text
    assert "the model" in text
    assert "user Zo\\u00eb" in text


def test_a_pipe_gets_the_same_without_escape_sequences(second):
    done, _ = second
    for node in NODES:
        assert f"✓ {node}" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_counts_are_those_of_the_file(folder, first):
    _, summary = first
    pairs = {
        tuple(line.split(",")[:2])
        for line in (folder / "tastes.csv").read_text().splitlines()[1:]
    }
    assert summary["num_users"] == USERS
    assert summary["num_items"] == len({item for _, item in pairs})
    assert summary["num_interactions"] == len(pairs)


def test_the_model_is_far_above_popularity_and_blessed(first):
    _, summary = first
    assert summary["metrics"]["hit_rate@10"] > summary["baseline"]["hit_rate@10"] + 0.2
    assert 0 < summary["metrics"]["ndcg@10"] < summary["metrics"]["hit_rate@10"]
    assert summary["blessed"]
    assert summary["not_blessed_because"] == []


def test_metadata_links_the_pushed_model_to_its_blessing(folder, first):
    _, summary = first
    store = _store(folder / "runs")
    [model, *_] = store.get_artifacts_by_type("Model")
    blessing = store.get_artifacts_by_type("ModelBlessing")[0]
    pushed = store.get_artifacts_by_type("PushedModel")[0]
    assert blessing.custom_properties["blessed"].int_value == 1
    assert blessing.custom_properties["current_model_id"].int_value == model.id
    assert pushed.custom_properties["pushed"].int_value == 1
    assert (
        pushed.custom_properties["pushed_destination"].string_value
        == (summary["pushed_to"])
    )


def _recommend(folder, users, *, k):
    """Returns the raw ids of items that the served version recommends to each user."""
    newest = versions.newest(folder / "runs" / "serving")
    ids, _ = loaded_model.LoadedModel(newest.number, newest.path).recommend(users, k)
    return [[item.decode() for item in row if item] for row in ids]


def test_the_pushed_model_recommends_unseen_items_of_the_users_group(folder, first):
    had = {}
    for line in (folder / "tastes.csv").read_text().splitlines()[1:]:
        user, item, _ = line.split(",")
        had.setdefault(user, set()).add(item)
    users = sorted(had)
    own = 0
    for user, items in zip(users, _recommend(folder, users, k=4), strict=True):
        assert not {*items} & had[user]
        own += sum(_group(item) == int(user[-4:]) % GROUPS for item in items)
    # Users have not seen four of their group's twelve items, or three if their first
    # item was of that group too.
    assert own / (4 * len(users)) > 0.6


def test_a_user_never_seen_gets_the_most_popular_items(folder, first):
    lines = (folder / "tastes.csv").read_text().splitlines()[1:]
    counts = {}
    for line in lines:
        counts[line.split(",")[1]] = counts.get(line.split(",")[1], 0) + 1
    [items] = _recommend(folder, ["nobody"], k=3)
    assert len(items) == 3
    # Popularity is counted on the training set, so it differs a little from the file.
    typical = sorted(counts.values())[len(counts) // 2]
    assert min(counts[item] for item in items) >= typical


def test_an_identical_run_executes_nothing(second, first):
    done, summary = second
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(NODES) - set(summary["cached"]) == RESOLVERS
    assert summary["metrics"] == first[1]["metrics"]
    assert summary["pushed_to"] == first[1]["pushed_to"]


def test_what_came_from_the_cache_keeps_its_true_seconds(second, first):
    _, summary = second
    for node in summary["cached"]:
        assert summary["seconds"][node] == first[1]["seconds"][node]
    assert summary["seconds"]["Trainer"] > 1


def test_another_network_and_learning_rate_run_from_the_trainer_on(folder, third):
    done, summary = third
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(summary["cached"]) == {*NODES[: NODES.index("Trainer")]} - RESOLVERS
    events = _store(folder / "runs").get_executions_by_type(
        "components.explaining_evaluator.component.ExplainingEvaluator"
    )
    assert len(events) >= 2


@pytest.fixture(scope="module")
def bad_folder(folder):
    """The same file with one more line, line 3, whose time cannot be read."""
    bad = folder / "bad"
    bad.mkdir()
    lines = (folder / "tastes.csv").read_text().splitlines()
    lines.insert(2, "Zoë 0000,item 40,noon")
    (bad / "tastes.csv").write_text("\n".join(lines) + "\n")
    return bad


def test_a_bad_row_stops_the_command_before_anything_runs(bad_folder):
    done, summary = _run(bad_folder, "runs")
    assert done.returncode == 2
    assert "line 3" in done.stderr
    assert "noon" in done.stderr
    assert summary is None


@pytest.fixture(scope="module")
def refused(bad_folder):
    """A run in a folder of its own; only the bad row and the gate differ."""
    return _run(
        bad_folder,
        "runs",
        "data.bad_rows=skip",
        "evaluation.gate.popularity_margin=0.99",
    )


def test_a_model_below_the_floor_is_not_pushed_and_the_reason_is_shown(refused):
    done, summary = refused
    assert done.returncode == 0, done.stdout + done.stderr
    assert not summary["blessed"]
    assert summary["pushed_to"] is None
    reasons = summary["not_blessed_because"]
    assert any("at least 0.99 above popularity's" in reason for reason in reasons)
    assert "Not blessed, nothing pushed" in done.stdout
    assert reasons[0] in done.stdout


def test_nothing_is_in_the_serving_folder_of_a_refused_model(bad_folder, refused):
    assert not list((bad_folder / "runs").glob("serving/*"))


def test_skipped_rows_are_counted(refused):
    _, summary = refused
    assert summary["data"]["rows_skipped"] == 1


def test_the_same_seed_gives_the_same_metrics(refused, first):
    """Both runs had the same data, but for a skipped row, and separate folders."""
    _, again = refused
    assert again["metrics"] == first[1]["metrics"]
    assert again["train"]["final_loss"] == first[1]["train"]["final_loss"]


def test_settings_are_those_of_the_package():
    """The run above relies on defaults that this test pins."""
    loaded = config.load()
    assert loaded.train.refit
    assert loaded.sampling.eval_negatives == 99
