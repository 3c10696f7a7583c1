"""Vertex AI's real client against a server that records the requests."""

import json
import pathlib
import re

import google_fake
import pytest
import typer.testing

from pipeline import cli
from pipeline.cluster import submission
from pipeline.vertex import submit

PARENT = google_fake.PARENT
OBJECT_VERBS = ("create", "delete", "get", "list", "update")
SPEC = {
    "pipelineInfo": {"name": "ncf"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.0.0",
    "deploymentSpec": {"executors": {"E": {"container": {"image": "i"}}}},
    "components": {"C": {"executorLabel": "E"}},
    "root": {
        "dag": {
            "tasks": {
                name: {
                    "taskInfo": {"name": name},
                    "componentRef": {"name": "C"},
                    **options,
                }
                for name, options in (
                    ("InteractionsExampleGen", {}),
                    ("LatestBlessedModel", {}),
                    ("Trainer", {"cachingOptions": {"enableCache": True}}),
                )
            }
        },
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20},
                "data_version": {"parameterType": "STRING", "defaultValue": ""},
            }
        },
    },
}
JOB = {
    "displayName": "ncf",
    "pipelineSpec": SPEC,
    "runtimeConfig": {"gcsOutputDirectory": "gs://bucket/compiled"},
}


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pipeline.json"
    path.write_text(json.dumps(JOB))
    return path


@pytest.fixture
def vertex(google):
    return submit.Vertex(
        project="ncf-project", region="us-central1", endpoint=google.url
    )


def _cached(body):
    tasks = body["pipelineSpec"]["root"]["dag"]["tasks"]
    return {
        name
        for name, task in tasks.items()
        if task.get("cachingOptions", {}).get("enableCache")
    }


def test_sends_specification_root_parameters_and_labels(google, vertex, file):
    account = "runner@ncf-project.iam.gserviceaccount.com"
    made = vertex.submit(
        file,
        root="gs://bucket/runs",
        parameters=["epochs=3"],
        name="first",
        service_account=account,
        network="projects/12/global/networks/mine",
    )
    ((path, body),) = google.posted
    assert path == f"{PARENT}/pipelineJobs"
    assert body["displayName"] == "first"
    assert body["pipelineSpec"] == SPEC
    assert body["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/runs"
    assert body["runtimeConfig"]["parameterValues"] == {"epochs": 3}
    assert body["serviceAccount"] == account
    assert body["network"] == "projects/12/global/networks/mine"
    assert body["labels"] == {"source": "ncf", "pipeline": "ncf"}
    assert google.authorizations == {"Bearer t0ken"}
    number = re.fullmatch(rf"{PARENT[4:]}/pipelineJobs/(ncf-\d{{14}})", made.id)[1]
    assert made.url == (
        "https://console.cloud.google.com/vertex-ai/locations/us-central1/pipelines/"
        f"runs/{number}?project=ncf-project"
    )


def test_what_is_not_given_is_as_compiled(google, vertex, file):
    vertex.submit(file)
    ((_, body),) = google.posted
    assert body["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/compiled"
    assert body["displayName"] == "ncf"
    assert not {"serviceAccount", "network"} & body.keys()
    assert _cached(body) == {"Trainer"}


@pytest.mark.parametrize(
    ("caching", "version", "cached"),
    [
        (True, "", {"Trainer"}),
        (True, "2024-06-01", {"Trainer", "InteractionsExampleGen"}),
        (None, "2024-06-01", {"Trainer", "InteractionsExampleGen"}),
        (False, "2024-06-01", set()),
    ],
)
def test_caches_what_may_be_cached(google, vertex, file, caching, version, cached):
    vertex.submit(file, caching=caching, parameters=[f"data_version={version}"])
    assert _cached(google.posted[0][1]) == cached


@pytest.mark.parametrize("cron", ["30 3 * * 1", "TZ=Europe/Berlin 30 3 * * 1"])
def test_schedules(google, vertex, file, cron):
    made = vertex.submit(file, cron=cron, root="gs://bucket/runs", service_account="a")
    ((path, body),) = google.posted
    assert path == f"{PARENT}/schedules"
    assert body["cron"] == cron
    assert body["maxConcurrentRunCount"] == "1"
    job = body["createPipelineJobRequest"]["pipelineJob"]
    assert job["pipelineSpec"] == SPEC
    assert job["runtimeConfig"]["gcsOutputDirectory"] == "gs://bucket/runs"
    assert job["serviceAccount"] == "a"
    assert "/pipelines/schedules/s1?" in made.url


def test_a_schedule_of_the_same_name_is_replaced(google, vertex, file):
    other = vertex.submit(file, cron="0 1 * * *", name="other")
    first = vertex.submit(file, cron="0 3 * * *")
    second = vertex.submit(file, cron="0 4 * * *")
    kept = {made.id.rpartition("/")[2] for made in (other, second)}
    assert set(google.schedules) == kept
    assert second.notes == (f"It takes the place of {first.id}, 0 3 * * *.",)


def _schedule(google, *arguments):
    command = ["schedule", "vertex", "--project", "ncf-project", "--region"]
    command += ["us-central1", "--endpoint", google.url, *arguments]
    return typer.testing.CliRunner().invoke(cli.app, command)


def test_schedules_are_listed_paused_resumed_and_deleted(google, vertex, file):
    one = vertex.submit(file, cron="0 3 * * *", name="nightly")
    ended = vertex.submit(file, cron="0 4 * * 1", name="ended")
    google.schedules[ended.id.rpartition("/")[2]]["state"] = "COMPLETED"
    assert _schedule(google, "pause", "nightly").output == "nightly is paused.\n"
    assert _schedule(google).output == (
        f"nightly: 0 3 * * *, paused\n  {one.id}\n  {one.url}\n"
    )
    assert _schedule(google, "resume", one.id).output == "nightly runs again.\n"
    assert google.schedules[one.id.rpartition("/")[2]]["state"] == "ACTIVE"
    assert _schedule(google, "delete", "nightly").output == "nightly is deleted.\n"
    assert _schedule(google).output == "There are no schedules.\n"
    result = _schedule(google, "pause", "nightly")
    assert result.exit_code == 2
    assert "There is no schedule 'nightly'. There are: none at all." in result.output


def test_waits_until_the_run_has_succeeded(google, vertex, file):
    google.states = [
        f"PIPELINE_STATE_{state}"
        for state in ("QUEUED", "PENDING", "RUNNING", "SUCCEEDED")
    ]
    vertex.wait(vertex.submit(file), timeout_s=60, poll_s=0)
    assert google.states == ["PIPELINE_STATE_SUCCEEDED"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELLED"])
def test_a_bad_end_names_the_tasks(google, vertex, file, state):
    google.states = ["PIPELINE_STATE_RUNNING", f"PIPELINE_STATE_{state}"]
    google.detail = {
        "error": {"code": 9, "message": "a task failed"},
        "jobDetail": {
            "taskDetails": [
                {"taskName": "Transform", "state": "SUCCEEDED"},
                {
                    "taskName": "Trainer",
                    "state": "FAILED",
                    "error": {"message": "out of memory"},
                },
            ]
        },
    }
    run = vertex.submit(file)
    wanted = (
        rf"The run is {state.lower()}: a task failed. "
        r"Failed tasks: Trainer \(out of memory\). See https"
    )
    with pytest.raises(submission.RemoteRunFailed, match=wanted):
        vertex.wait(run, timeout_s=60, poll_s=0)


def test_does_not_wait_for_ever(google, vertex, file):
    google.states = ["PIPELINE_STATE_RUNNING"]
    run = vertex.submit(file)
    with pytest.raises(ValueError, match="still running after 0 s; it goes on"):
        vertex.wait(run, timeout_s=0, poll_s=0)


def _command(google, file, *more):
    arguments = ["submit", "vertex", str(file), "--project", "ncf-project"]
    arguments += ["--region", "us-central1", "--endpoint", google.url, *more]
    return typer.testing.CliRunner().invoke(cli.app, arguments)


@pytest.mark.parametrize(
    ("options", "cancelled", "message"),
    [
        ([], False, "the run goes on"),
        (["--cancel-on-interrupt"], True, "the run is being cancelled"),
    ],
)
def test_interruption(google, file, monkeypatch, options, cancelled, message):
    def interrupt(seconds):
        raise KeyboardInterrupt

    google.states = ["PIPELINE_STATE_RUNNING"]
    monkeypatch.setattr(submission.time, "sleep", interrupt)
    result = _command(google, file, "--wait", *options)
    assert result.exit_code == 130
    assert message in result.output
    assert any(path.endswith(":cancel") for path, _ in google.posted) is cancelled


@pytest.mark.parametrize(
    ("state", "code", "message"),
    [("SUCCEEDED", 0, "The run has succeeded"), ("FAILED", 1, "The run is failed")],
)
def test_exit_code_is_the_runs(google, file, state, code, message):
    google.states = [f"PIPELINE_STATE_{state}"]
    result = _command(google, file, "--wait")
    assert result.exit_code == code
    assert message in result.output


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"parameters": ["epoch=3"]}, "no parameter 'epoch'.*mean 'epochs'"),
        ({"parameters": ["epochs=x"]}, "must be a whole number; got 'x'"),
        ({"root": "s3://b/runs"}, "gs://bucket/folder; got 's3://b/runs'"),
        ({"root": "gs://Bucket"}, "gs://bucket/folder; got 'gs://Bucket'"),
        ({"network": "mine"}, "projects/NUMBER/global/networks/NAME.*got 'mine'"),
        ({"cron": "3 * * 1"}, r"5 fields .*; got '3 \* \* 1'"),
        (
            {"cron": "0 3 * * *", "parameters": ["data_version=1"]},
            "must not set `data_version`",
        ),
        ({"root": "gs://other/runs"}, "no bucket gs://other. Make it: gcloud"),
        ({"root": "gs://secret/runs"}, "may not list gs://secret: .*objectUser"),
    ],
)
def test_nothing_is_sent_if_something_is_wrong(google, vertex, file, options, message):
    google.buckets["secret"] = 403
    with pytest.raises(ValueError, match=message):
        vertex.submit(file, **options)
    assert google.posted == []


def test_nothing_is_sent_if_the_tasks_would_be_refused(google, vertex, file):
    runner = "runner@ncf-project.iam.gserviceaccount.com"
    google.accounts[runner] = {f"storage.objects.{v}" for v in OBJECT_VERBS}
    wanted = (
        r"lacks storage.buckets.get on gs://bucket,(?s:.*)gcloud storage buckets "
        r"add-iam-policy-binding gs://bucket --role roles/storage.legacyBucketReader"
    )
    with pytest.raises(ValueError, match=wanted):
        vertex.submit(file, service_account=runner)
    assert google.posted == []
    google.accounts[runner].add("storage.buckets.get")
    assert vertex.submit(file, service_account=runner).notes == ()


def test_unknown_region(google):
    with pytest.raises(ValueError, match=r"no region 'us-centrall'. .*us-central1\?"):
        submit.Vertex(project="p", region="us-centrall")


def test_no_credentials(tmp_path, monkeypatch):
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    with pytest.raises(ValueError, match="gcloud auth application-default login"):
        submit.Vertex(project="p", region="us-central1")


def test_credentials_that_have_expired(google, vertex, file):
    google.token_status = 400
    with pytest.raises(ValueError, match="log in anew: gcloud auth"):
        vertex.submit(file)
    assert google.posted == []


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (403, r"refuses \(HTTP 403\): .*API is not enabled.* docs/vertex.md"),
        (400, r"refuses \(HTTP 400\): .*API is not enabled"),
    ],
)
def test_refused_says_what_the_service_says(google, vertex, file, status, message):
    google.refuse = (status, "Vertex AI API is not enabled")
    with pytest.raises(ValueError, match=message):
        vertex.submit(file)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "No compiled pipeline"), ("a: 1", "not JSON"), ("{}", "no `pipelineSpec`")],
)
def test_no_compiled_pipeline(google, tmp_path, text, message):
    file = tmp_path / "x.json"
    if text is not None:
        file.write_text(text)
    result = _command(google, file)
    assert result.exit_code == 2
    assert message in result.output
    assert pathlib.Path(f"ncf compile vertex -o {file}").name in result.output
