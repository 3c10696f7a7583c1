"""Google's client deletes old runs from a bucket, but none that made served models."""

import datetime
import json

import gcs_emulator
import pytest
from google.cloud import storage
from typer import testing

from ncf_model.serving.version_record import VersionRecord
from pipeline import cli
from pipeline.cluster import bucket_gc, buckets, google_cloud

ROOT, SERVING = "gs://bucket/runs", "gs://bucket/serving"


@pytest.fixture(name="bucket")
def _bucket(tmp_path, monkeypatch):
    with gcs_emulator.Emulator(tmp_path) as running:
        for name, value in running.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("STORAGE_EMULATOR_HOST", raising=False)
        caller = buckets.Caller("ncf-project", google_cloud.find_credentials())
        client = storage.Client(project="ncf-project", credentials=caller.credentials)
        bucket = client.bucket("bucket")
        for run in range(5):
            for node in ("Trainer/1/model/x", "Report/2/report/index.html"):
                name = f"runs/ncf/run-{run}/{node}"
                _write(bucket, name, "12345")
                content, number, _ = running.objects.buckets["bucket"][name]
                written = (content, number, 1_700_000_000 + run)
                running.objects.buckets["bucket"][name] = written
        _write(bucket, "runs/notes.txt", "no run")
        _write(bucket, "runs-of-others/ncf/run-0/x", "of others")
        # Version 1, made by run 0, is served; version 2, made by run 1, is gone.
        _write(bucket, "serving/1/saved_model.pb", "model")
        for version, folder in ((1, "/gcs/bucket/runs"), (2, ROOT)):
            uri = f"{folder}/ncf/run-{version - 1}/Trainer/1/model"
            _write(
                bucket,
                f"serving/.ncf/versions/{version}.json",
                json.dumps({"model_uri": uri}),
            )
        yield bucket


def _write(bucket, name, text):
    bucket.blob(name).upload_from_string(text)


def _names(bucket):
    return {blob.name for blob in bucket.client.list_blobs("bucket")}


def _ncf(*arguments):
    return testing.CliRunner().invoke(cli.app, ["gc", *map(str, arguments)])


def test_the_latest_runs_and_those_of_what_is_served_stay(bucket):
    before = _names(bucket)
    asked = ("--bucket", ROOT, "--serving", SERVING, "--keep", 2)
    listed = _ncf(*asked)
    assert listed.exit_code == 0, listed.output
    assert "Would remove 2 runs" in listed.output
    assert _names(bucket) == before
    deleted = json.loads(_ncf(*asked, "--delete", "--json").output)
    assert deleted["deleted"]
    assert {run["folder"]: run["bytes"] for run in deleted["runs"]} == {
        f"{ROOT}/ncf/run-{run}": 10 for run in (1, 2)
    }
    gone = before - _names(bucket)
    assert gone == {
        f"runs/ncf/run-{run}/{node}"
        for run in (1, 2)
        for node in ("Trainer/1/model/x", "Report/2/report/index.html")
    }
    assert "Would remove 0 runs" in _ncf(*asked).output


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--bucket", "bucket/runs", "--serving", SERVING), "`--bucket` must be a"),
        (("--bucket", "gs://bucket", "--serving", SERVING), "`--bucket` must be a"),
        (("--bucket", ROOT), "`--serving` must be a folder"),
        (("--bucket", SERVING, "--serving", SERVING), "beside each other"),
        (("--bucket", ROOT, "--serving", f"{ROOT}/serving"), "beside each other"),
        (("--bucket", ROOT, "--serving", "gs://bucket/servng"), "no record"),
        (("--bucket", ROOT, "--serving", SERVING, "--keep", 0), "must be 1 or more"),
        (("--bucket", ROOT, "--serving", SERVING, "--forget", 5), "leave them out"),
        (("--bucket", ROOT, "--serving", SERVING, "--out", "runs"), "leave them out"),
        (("--serving", SERVING), "`--serving` goes with `--bucket`"),
    ],
)
def test_what_is_refused_changes_nothing(bucket, arguments, says):
    before = _names(bucket)
    refused = _ncf(*arguments, "--delete")
    assert refused.exit_code == 2
    assert says in " ".join(refused.output.split())
    assert _names(bucket) == before


def test_a_damaged_record_is_named(bucket):
    _write(bucket, "serving/.ncf/versions/1.json", "{cut o")
    before = _names(bucket)
    refused = _ncf("--bucket", ROOT, "--serving", SERVING, "--keep", 1, "--delete")
    assert refused.exit_code == 2
    assert "record gs://bucket/serving/.ncf/versions/1.json" in refused.output
    assert _names(bucket) == before


def test_each_pipeline_keeps_its_latest_and_what_is_at_work_stays():
    now = datetime.datetime(2026, 1, 10, tzinfo=datetime.timezone.utc)
    ages = {"a/4": 0, "a/3": 1, "a/2": 5, "a/1": 6, "b/1": 8}  # Days.
    runs = [
        bucket_gc.RunFolder(f"{ROOT}/{name}", now - datetime.timedelta(days=age))
        for name, age in ages.items()
    ]
    records = [VersionRecord(model_uri=f"{ROOT}/a/2/Trainer/model/1")]
    found = bucket_gc.old(runs, records, keep=1, now=now)
    assert [run.folder for run in found] == [f"{ROOT}/a/1"]
