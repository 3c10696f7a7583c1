"""BigQuery's real client against a server that records the requests."""

import datetime
import http.server
import json
import threading

import pytest
import typer.testing
from google.auth import credentials

from pipeline import cli
from pipeline.data import bigquery
from tests import json_handler

QUERY = "bigquery:SELECT user, item, timestamp FROM d.t"
JOB = {"projectId": "ncf-project", "jobId": "j1", "location": "US"}


class _Handler(json_handler.JsonHandler):
    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.server.posted.append((self.path, body))
        self._job(body["configuration"])

    def do_GET(self):
        if "/queries/" in self.path:
            self.answer(200, {"jobReference": JOB, "jobComplete": True})
        else:
            self._job(self.server.posted[-1][1]["configuration"])

    def _job(self, configuration):
        if self.server.refuse:
            status, message = self.server.refuse
            self.answer(status, {"error": {"code": status, "message": message}})
            return
        status = {"state": "DONE"}
        job = {"jobReference": JOB, "status": status, "configuration": configuration}
        self.answer(200, job)


@pytest.fixture
def server(monkeypatch):
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as running:
        running.posted, running.refuse = [], None
        thread = threading.Thread(
            target=running.serve_forever, args=(0.01,), daemon=True
        )
        thread.start()
        host = f"http://127.0.0.1:{running.server_port}"
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", host)
        monkeypatch.setenv("CLOUD_ML_PROJECT_ID", "ncf-project")
        monkeypatch.setattr(
            "google.auth.default",
            lambda **options: (credentials.AnonymousCredentials(), "tenant"),
        )
        yield running
        running.shutdown()


def test_exports_to_the_folder_in_the_tasks_project(server):
    assert bigquery.export(QUERY, "gs://b/f") == "gs://b/f"
    ((path, body),) = server.posted
    assert path.startswith("/bigquery/v2/projects/ncf-project/jobs")
    assert body["configuration"]["query"]["query"] == (
        "EXPORT DATA OPTIONS (uri='gs://b/f/*.parquet', format='PARQUET', "
        "overwrite=true)\nAS SELECT user, item, timestamp FROM d.t"
    )


def test_a_refusal_says_what_is_missing(server):
    server.refuse = (403, "no access to d.t")
    with pytest.raises(ValueError, match=r"(?s)no access to d\.t.*bigquery\.jobUser"):
        bigquery.export(QUERY, "gs://b/f")


@pytest.mark.parametrize(
    ("query", "folder", "message"),
    [
        ("DELETE FROM d.t", "gs://b/f", "must come a SELECT .*got 'DELETE FROM d.t'"),
        ("SELECT 1", "/tmp/f", "gs:// alone; got '/tmp/f'"),
    ],
)
def test_refuses_before_it_asks(server, query, folder, message):
    with pytest.raises(ValueError, match=message):
        bigquery.export(f"bigquery:{query}", folder)
    assert server.posted == []


def test_a_local_run_refuses_a_query_at_once():
    settings = ["data.source=bigquery", "data.query=SELECT 1"]
    done = typer.testing.CliRunner().invoke(
        cli.app, ["prepare", *(part for s in settings for part in ("--set", s))]
    )
    assert done.exit_code == 2
    assert "is for Vertex AI (`ncf compile vertex`)" in done.output + done.stderr


WINDOWED = (
    "bigquery:SELECT u FROM t WHERE @span_begin_timestamp <= s AND "
    "s < @span_end_timestamp AND d <= @span_yyyymmdd_utc"
)


def test_a_window_of_days():
    # 2024-01-31 is day 19,753.
    found = bigquery.in_window(WINDOWED, last=2, newest=19_753)
    first, end = 19_752 * 86_400, 19_754 * 86_400
    assert f"WHERE {first} <= s AND s < {end} AND d <= '20240131'" in found
    today = datetime.date(2024, 2, 1)
    assert bigquery.in_window(WINDOWED, last=2, today=today) == found
    assert "WHERE 0 <= s" in bigquery.in_window(WINDOWED, last="all", newest=19_753)


def test_a_query_without_marks_has_no_days():
    query = "bigquery:SELECT 1"
    assert bigquery.in_window(query, last=2) == query
    with pytest.raises(ValueError, match="`span` is 7, so the query must say"):
        bigquery.in_window(query, last=2, newest=7)
