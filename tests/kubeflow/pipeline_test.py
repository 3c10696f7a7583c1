"""The compiled pipeline, whole, task by task as Kubeflow Pipelines or Vertex runs it.

The pipeline runs once on this machine, then twice on the local cluster: the metrics
must be the same, and the second run there must find the model that the first one
pushed. Then it runs as on Vertex with Dataflow, again with the same metrics.
"""

import concurrent.futures
import json
import os
import pathlib
import subprocess
import sys

import gcs_emulator
import local_cluster
import local_vertex
import numpy as np
import pytest
import yaml

from pipeline import config as config_module
from pipeline.cluster import config as cluster_config
from pipeline.cluster import package
from pipeline.kfp import compile as compiler
from pipeline.kfp import config as kfp_config
from pipeline.vertex import compile as vertex_compiler
from pipeline.vertex import config as vertex_config

ROOT = pathlib.Path(__file__).resolve().parents[2]
SETTINGS = [
    "train.epochs=4",
    "train.batch_size=128",
    "train.learning_rate=0.01",
    "evaluation.gate.tolerance=0.9",
    "sampling.eval_negatives=20",
]
NEVER_CACHED = {"LatestBlessedModel", "Pusher", "ShrinkGuard"}
AFTER_TRAINER = {"BlessedRanks", "Evaluator", "ExportCheck", "Report"}
RUN_AGAIN = {"Trainer", *NEVER_CACHED, *AFTER_TRAINER}


def _write_ratings(file):
    """Writes 120 users in 4 groups; each group has 12 items that only it likes."""
    rng = np.random.default_rng(7)
    with open(file, "w") as f:
        f.write("userId,movieId,timestamp\n")
        for user in range(120):
            for time, item in enumerate(rng.permutation(12)[:9]):
                f.write(f"u{user},i{user % 4 * 12 + item},{1_000_000 + time}\n")


def _run_locally(ratings, out):
    """Returns the summary of `ncf run`."""
    command = [sys.executable, "-m", "pipeline.cli", "run", "--dataset", str(ratings)]
    command += ["--out", str(out)]
    for setting in SETTINGS:
        command += ["--set", setting]
    subprocess.run(
        command,
        check=True,
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    return json.loads((out / "report" / "summary.json").read_text())


def _compile(volume):
    """Returns the pipeline for a cluster with a volume; read data may be cached."""
    text = compiler.compile_pipeline(
        config_module.load(None, SETTINGS),
        kfp_config.load(
            None,
            image="ncf@sha256:0123",
            serving=str(volume / "serving"),
            volumes=[{"claim": "ncf", "mount_path": str(volume)}],
        ),
    )
    documents = list(yaml.safe_load_all(text))
    assert package.cache_data(documents[0], {"data_version": "1"})
    return yaml.dump_all(documents)


class _Runs:
    """The results of the run on this machine and of two on the local cluster."""

    def __init__(self, folder):
        self.volume = folder / "volume"
        self.volume.mkdir()
        ratings = self.volume / "ratings.csv"
        _write_ratings(ratings)
        self.cluster = local_cluster.LocalCluster(folder, cold={"LatestBlessedModel"})
        given = {"data_path": str(ratings), "data_version": "1"}
        with concurrent.futures.ThreadPoolExecutor() as pool:
            local = pool.submit(_run_locally, ratings, folder / "local")
            text = _compile(self.volume)
            self.first = self.cluster.run(text, **given)
            self.local = local.result()
        self.pushed_first = self.pushed()
        self.second = self.cluster.run(text, **given, epochs=5)

    def pushed(self):
        return sorted(
            f.parent.name for f in self.volume.glob("serving/*/saved_model.pb")
        )

    def summary(self, run):
        report = self.cluster.store(run.outputs["Report"]["report"]["uri"])
        return json.loads((report / "summary.json").read_text())


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return _Runs(tmp_path_factory.mktemp("kubeflow"))


class _VertexRun:
    """A run on Vertex AI with the steps on Beam on Dataflow.

    The bucket grants what the two roles of docs/vertex.md grant.
    """

    def __init__(self, folder, storage):
        self.project = local_vertex.LocalVertex(
            folder,
            storage,
            "gs://bucket/runs",
            preempted={"Trainer": "gs://bucket/checkpoints/"},
        )
        _write_ratings(folder / "ratings.csv")
        content = (folder / "ratings.csv").read_bytes()
        storage.objects.put("bucket", "ratings.csv", content)
        text = vertex_compiler.compile_pipeline(
            config_module.load(None, SETTINGS),
            cluster_config.load(
                vertex_config.VertexConfig,
                None,
                image="ncf@sha256:0123",
                serving="gs://bucket/serving",
                project="p",
                region="us-central1",
                dataflow={
                    "temp_location": "gs://bucket/temp",
                    "image": "ncf@sha256:4567",
                },
            ),
            root="gs://bucket/runs",
        )
        self.run = self.project.run(text, data_path="gs://bucket/ratings.csv")

    def summary(self):
        uri = self.run.outputs["Report"]["report"]["uri"]
        return json.loads(self.project.read(f"{uri}/summary.json"))

    def pushed(self):
        names = self.project.storage.objects.names("bucket", "serving/")
        return [name for name in names if name.endswith("/saved_model.pb")]

    def logs(self, task):
        """Returns the logs of a task's attempts, that of the killed attempt first."""
        found = self.project.folder.glob(f"pods/{task}-*/log.txt")
        return [log.read_text() for log in sorted(found, reverse=True)]

    def used_workers(self, task):
        return any("sdk_worker_main" in log for log in self.logs(task))


@pytest.fixture(scope="module")
def vertex(tmp_path_factory):
    folder = tmp_path_factory.mktemp("vertex")
    with gcs_emulator.Emulator(folder) as storage:
        yield _VertexRun(folder, storage)


def _metadata(run, task, output):
    return run.outputs[task][output]["metadata"]


def test_same_numbers_as_on_one_machine(runs):
    summary = runs.summary(runs.first)
    for part in ("metrics", "baseline", "num_users", "num_items", "num_interactions"):
        assert summary[part] == runs.local[part]
    assert summary["train"]["final_loss"] == runs.local["train"]["final_loss"]


def test_first_run_has_no_model_to_beat_and_pushes(runs):
    baseline = runs.first.inputs["BlessedRanks"]["artifacts"]["baseline_model"]
    (artifact,) = baseline["artifacts"]
    assert not runs.cluster.store(artifact["uri"]).exists()
    blessing = _metadata(runs.first, "Evaluator", "blessing")
    assert blessing["blessed"] == 1
    assert "baseline_model" not in blessing
    assert runs.pushed_first == [
        _metadata(runs.first, "Pusher", "pushed_model")["pushed_version"]
    ]


def test_second_run_beats_what_the_first_pushed(runs):
    found = _metadata(runs.second, "LatestBlessedModel", "model")
    assert [found["pushed_version"]] == runs.pushed_first
    blessing = _metadata(runs.second, "Evaluator", "blessing")
    model = runs.second.outputs["LatestBlessedModel"]["model"]
    assert blessing["baseline_model"] == model["uri"]
    assert blessing["baseline_model_id"] == model["name"]
    assert len(runs.pushed()) == 2


def test_second_run_does_only_what_epochs_change(runs):
    assert runs.second.outputs.keys() - runs.second.cached == RUN_AGAIN
    assert runs.summary(runs.second)["train"]["epochs"] == 5
    assert runs.summary(runs.first)["train"]["epochs"] == 4


def test_metadata_names_the_object_store(runs):
    model = runs.first.outputs["Trainer"]["model"]["uri"]
    blessing = _metadata(runs.first, "Evaluator", "blessing")
    assert model.startswith("s3://bucket/")
    assert (blessing["current_model"], blessing["current_model_id"]) == (
        model,
        runs.first.outputs["Trainer"]["model"]["name"],
    )


def test_what_the_services_pages_show(runs, vertex):
    """The services show metrics, to compare runs, and the report as a single file."""
    first, summary = runs.first.outputs["Report"], runs.summary(runs.first)
    page = runs.cluster.store(first["page"]["uri"])
    report = runs.cluster.store(first["report"]["uri"])
    assert page.read_text() == (report / "index.html").read_text()
    assert first["metrics"]["metadata"]["ndcg@10"] == summary["metrics"]["ndcg@10"]
    assert first["slice_metrics"]["metadata"]
    shown = vertex.run.outputs["Report"]
    assert b"<html" in vertex.project.read(shown["page"]["uri"])
    assert (
        shown["metrics"]["metadata"]["ndcg@10"]
        == vertex.summary()["metrics"]["ndcg@10"]
    )


def test_driver_was_run(runs):
    metadata = _metadata(runs.first, "InteractionsExampleGen", "examples")
    assert "num_files:1" in metadata["input_fingerprint"]


def test_a_trainer_whose_machine_is_taken_away_goes_on(vertex):
    """`test_same_numbers_on_vertex` checks the metrics of the resumed training."""
    killed, whole = vertex.logs("Trainer")
    assert "train epoch 1:" in killed
    assert "Going on from gs://bucket/checkpoints" in whole
    assert "train epoch 1:" not in whole


def test_same_numbers_on_vertex(runs, vertex):
    summary = vertex.summary()
    for part in ("metrics", "baseline", "num_users", "num_items", "num_interactions"):
        assert summary[part] == runs.local[part]
    assert summary["train"]["final_loss"] == runs.local["train"]["final_loss"]
    assert summary["blessed"]
    assert len(vertex.pushed()) == 1


def test_vertex_knows_artifacts_by_their_resource_names(vertex):
    model = vertex.run.outputs["Trainer"]["model"]
    blessing = _metadata(vertex.run, "Evaluator", "blessing")
    assert (blessing["current_model"], blessing["current_model_id"]) == (
        model["uri"],
        model["name"],
    )
    assert model["name"].startswith("projects/1/locations/us-central1/")


def test_steps_on_beam_run_in_workers_of_their_own(vertex):
    used = {task for task in vertex.run.outputs if vertex.used_workers(task)}
    assert used == {
        "InteractionsExampleGen",
        "StatisticsGen",
        "Transform",
        "NegativeSampling",
        "Evaluator",
    }
