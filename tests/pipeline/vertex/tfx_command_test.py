"""The stock `tfx` command creates the pipeline and a run of it."""

import json
import os
import pathlib
import sys

import google_fake
import pytest
from google.cloud import aiplatform
from tfx.tools.cli.cli_main import cli_group

from pipeline.cluster import google_cloud


@pytest.fixture
def environment(google, tmp_path, monkeypatch):
    # The command asks `pip` which engines are installed.
    search = f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}"
    for name, value in {
        "PATH": search,
        "VERTEX_HOME": str(tmp_path),
        "ROOT": "gs://bucket/runs",
        "SERVING": "gs://bucket/serving",
        "IMAGE": "ncf@sha256:01",
    }.items():
        monkeypatch.setenv(name, value)
    for name in ("CONFIG", "DATASET", "PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    aiplatform.init(
        credentials=google_cloud.find_credentials(),
        api_endpoint=google.url,
        api_transport="rest",
    )


def _tfx(*arguments):
    cli_group([*arguments, "--engine=vertex"], standalone_mode=False)


def _create(root):
    path = f"--pipeline_path={root / 'kubeflow' / 'vertex_runner.py'}"
    _tfx("pipeline", "create", path)


def test_creates_pipeline_and_run(environment, google, tmp_path, pytestconfig, capsys):
    _create(pytestconfig.rootpath)
    assert 'Pipeline "ncf" created successfully.' in capsys.readouterr().out
    compiled = json.loads((tmp_path / "ncf" / "pipeline.json").read_text())

    _tfx(
        *("run", "create", "--pipeline_name=ncf", "--project=ncf-project"),
        *("--region=us-central1", "--runtime_parameter=epochs=3"),
    )
    assert "Run created for pipeline: ncf" in capsys.readouterr().out
    ((path, body),) = google.posted
    assert path == f"{google_fake.PARENT}/pipelineJobs"
    assert body["pipelineSpec"] == compiled["pipelineSpec"]
    assert body["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/runs"
    assert body["runtimeConfig"]["parameterValues"] == {"epochs": "3"}


def test_says_what_is_missing(environment, monkeypatch, pytestconfig):
    monkeypatch.delenv("IMAGE")
    with pytest.raises(SystemExit, match="Set IMAGE in the environment"):
        _create(pytestconfig.rootpath)
