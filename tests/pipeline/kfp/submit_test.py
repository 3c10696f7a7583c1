"""The real kfp client against a server that records the requests."""

import http.server
import json
import re
import socket
import threading
import urllib.parse

import pytest
import typer.testing
import yaml

from pipeline import cli
from pipeline.cluster import submission
from pipeline.kfp import submit
from tests import json_handler

SPEC = {
    "pipelineInfo": {"name": "ncf"},
    "schemaVersion": "2.1.0",
    "sdkVersion": "tfx-1.0.0",
    "deploymentSpec": {"executors": {"E": {"container": {"image": "i"}}}},
    "components": {"InteractionsExampleGen": {"executorLabel": "E"}},
    "root": {
        "dag": {
            "tasks": {
                name: {
                    "taskInfo": {"name": name},
                    "componentRef": {"name": "InteractionsExampleGen"},
                    **options,
                }
                for name, options in (
                    ("InteractionsExampleGen", {}),
                    ("Trainer", {"cachingOptions": {"enableCache": True}}),
                )
            }
        },
        "inputDefinitions": {
            "parameters": {
                "epochs": {"parameterType": "NUMBER_INTEGER", "defaultValue": 20},
                "data_version": {"parameterType": "STRING", "defaultValue": ""},
                "learning_rate": {
                    "parameterType": "NUMBER_DOUBLE",
                    "defaultValue": 0.1,
                },
            }
        },
    },
}
SELECTOR = {"nodeSelector": {"labels": {"pool": "big"}}}
PLATFORM = {
    "platforms": {"kubernetes": {"deploymentSpec": {"executors": {"E": SELECTOR}}}}
}


class _Server(http.server.ThreadingHTTPServer):
    """Answers like Kubeflow Pipelines; `states` are the run's, one per request."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.posted, self.headers_seen = [], []
        self.states, self.refuse, self.error = ["SUCCEEDED"], None, None
        self.schedules = {}

    @property
    def host(self):
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(json_handler.JsonHandler):
    def do_GET(self):
        path = self.path.split("?")[0]
        run = {"run_id": "r1"}
        if re.fullmatch(r"/apis/v2beta1/runs/\w+", path):
            states = self.server.states
            run["state"] = states.pop(0) if len(states) > 1 else states[0]
            run["error"] = self.server.error
        if path == "/apis/v2beta1/recurringruns":
            # One schedule per page, so that a client has to read all pages.
            asked = urllib.parse.parse_qs(urllib.parse.urlsplit(self.path).query)
            at = int(asked.get("page_token", ["0"])[0])
            made = list(self.server.schedules.values())
            more = {"next_page_token": str(at + 1)} if at + 1 < len(made) else {}
            run = {"recurringRuns": made[at : at + 1], **more}
        self._answer(run)

    def do_DELETE(self):
        del self.server.schedules[self.path.split("/")[-1]]
        self._answer({})

    def do_POST(self):
        size = int(self.headers["content-length"] or 0)
        body = json.loads(self.rfile.read(size) or "{}")
        kind = self.path.split("/")[-1]
        schedules = self.server.schedules
        if changed := re.fullmatch(r"(\w+):(en|dis)able", kind):
            schedules[changed[1]]["status"] = changed[2].upper() + "ABLED"
            self._answer({})
            return
        self.server.posted.append((kind, body))
        made = {"experiment_id": "e1", "run_id": "r1", "recurring_run_id": "s1"}
        if kind == "recurringruns":
            number = f"s{len(self.server.posted)}"
            made = {**body, "recurring_run_id": number, "status": "ENABLED"}
            schedules[number] = made
        self._answer(made)

    def _answer(self, body):
        self.server.headers_seen.append(dict(self.headers))
        status, body = self.server.refuse or (200, body)
        self.answer(status, body)


@pytest.fixture
def server():
    with _Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "pipeline.yaml"
    path.write_text(yaml.dump_all([SPEC, PLATFORM]))
    return path


@pytest.fixture(autouse=True)
def _no_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))


def test_sends_specification_platform_root_and_parameters(server, file):
    made = submit.Cluster(server.host).submit(
        file,
        parameters=["epochs=3", "learning_rate=1e-2"],
        experiment="mine",
        name="first",
        pipeline_root="gs://bucket/root",
        service_account="runner",
    )
    (group, experiment), (kind, body) = server.posted
    assert (group, experiment["display_name"]) == ("experiments", "mine")
    assert kind == "runs"
    assert body["display_name"] == "first"
    assert body["experiment_id"] == "e1"
    assert body["service_account"] == "runner"
    assert body["pipeline_spec"]["pipeline_spec"] == SPEC
    assert body["pipeline_spec"]["platform_spec"] == PLATFORM
    assert body["runtime_config"] == {
        "parameters": {"epochs": 3, "learning_rate": 0.01},
        "pipeline_root": "gs://bucket/root",
    }
    assert made[:2] == ("r1", f"{server.host}/#/runs/details/r1")


def test_named_data_may_come_from_the_cache(server, file):
    submit.Cluster(server.host).submit(file, parameters=["data_version=2024-06-01"])
    tasks = server.posted[-1][1]["pipeline_spec"]["pipeline_spec"]["root"]["dag"][
        "tasks"
    ]
    assert tasks["InteractionsExampleGen"]["cachingOptions"] == {"enableCache": True}


def test_schedules(server, file):
    made = submit.Cluster(server.host).submit(file, cron="30 3 * * 1")
    assert made.notes == ()
    kind, body = server.posted[-1]
    assert kind == "recurringruns"
    assert body["trigger"]["cron_schedule"]["cron"] == "0 30 3 * * 1"
    assert body["no_catchup"] is True
    assert body["max_concurrency"] == "1" or body["max_concurrency"] == 1
    assert body["pipeline_spec"]["platform_spec"] == PLATFORM
    assert made.url == f"{server.host}/#/recurringrun/details/{made.id}"


def test_a_schedule_of_the_same_name_is_replaced(server, file):
    cluster = submit.Cluster(server.host)
    other = cluster.submit(file, cron="0 1 * * *", name="other")
    first = cluster.submit(file, cron="0 3 * * *")
    second = cluster.submit(file, cron="0 4 * * *")
    assert set(server.schedules) == {other.id, second.id}
    assert second.notes == (f"It takes the place of {first.id}, 0 0 3 * * *.",)


def test_a_schedule_of_the_same_data_each_time_is_refused(server, file):
    with pytest.raises(ValueError, match="must not set `data_version`"):
        submit.Cluster(server.host).submit(
            file, cron="0 3 * * *", parameters=["data_version=1"]
        )
    assert server.posted == []


def _ncf(server, *arguments):
    command = ["schedule", "kfp", "--host", server.host, *arguments]
    return typer.testing.CliRunner().invoke(cli.app, command)


def test_schedules_are_listed_paused_resumed_and_deleted(server, file):
    assert _ncf(server).output == "There are no schedules.\n"
    cluster = submit.Cluster(server.host)
    one = cluster.submit(file, cron="0 3 * * *", name="nightly")
    two = cluster.submit(file, cron="0 4 * * 1", name="weekly")
    assert _ncf(server, "pause", "nightly").output == "nightly is paused.\n"
    assert _ncf(server, "list").output == (
        f"nightly: 0 0 3 * * *, paused\n  {one.id}\n  {one.url}\n"
        f"weekly: 0 0 4 * * 1, active\n  {two.id}\n  {two.url}\n"
    )
    assert _ncf(server, "resume", one.id).output == "nightly runs again.\n"
    assert server.schedules[one.id]["status"] == "ENABLED"
    assert _ncf(server, "delete", "weekly").output == "weekly is deleted.\n"
    assert set(server.schedules) == {one.id}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("pause", "hourly"), "There is no schedule 'hourly'. There are: 'nightly'."),
        (("pause",), "Which one? Give a name or an id"),
        (
            ("stop", "nightly"),
            "A schedule knows list, pause, resume, delete; got 'stop'",
        ),
    ],
)
def test_what_cannot_be_done_to_a_schedule(server, file, arguments, message):
    submit.Cluster(server.host).submit(file, cron="0 3 * * *", name="nightly")
    result = _ncf(server, *arguments)
    assert result.exit_code == 2
    assert message in result.output


def test_interrupted_waiting_says_that_the_run_goes_on(server, file, monkeypatch):
    def interrupt(seconds):
        raise KeyboardInterrupt

    server.states = ["RUNNING"]
    monkeypatch.setattr(submission.time, "sleep", interrupt)
    command = ["submit", "kfp", str(file), "--host", server.host, "--wait"]
    result = typer.testing.CliRunner().invoke(cli.app, command)
    assert result.exit_code == 130
    assert "the run goes on. See http" in result.output


@pytest.mark.parametrize("root", ["", "/tmp/runs", "bucket/runs", "gs://"])
def test_a_root_that_is_no_bucket(server, file, root):
    command = ["submit", "kfp", str(file), "--host", server.host, "--root", root]
    result = typer.testing.CliRunner().invoke(cli.app, command)
    assert result.exit_code == 2
    assert "`--root` must be gs://bucket/folder" in result.output
    assert server.posted == []


@pytest.mark.parametrize(
    ("cron", "message"),
    [
        ("3 * * 1", r"`--cron` must have 5 fields .*; got '3 \* \* 1'"),
        ("0 25 * * *", "the hour must be .* from 0 to 23.*; got '25'"),
        ("", "`--cron` must have 5 fields .*; got ''"),
    ],
)
def test_a_line_of_cron_that_cannot_be(server, file, cron, message):
    with pytest.raises(ValueError, match=message):
        submit.Cluster(server.host).submit(file, cron=cron)
    assert server.posted == []


def test_waits_until_the_run_has_succeeded(server, file):
    server.states = ["PENDING", "RUNNING", "SUCCEEDED"]
    cluster = submit.Cluster(server.host)
    cluster.wait(cluster.submit(file), timeout_s=60, poll_s=0)
    assert server.states == ["SUCCEEDED"]


@pytest.mark.parametrize("state", ["FAILED", "CANCELED"])
def test_a_bad_end_is_an_error(server, file, state):
    server.states = ["RUNNING", state]
    server.error = {"code": 13, "message": "Trainer: out of memory"}
    cluster = submit.Cluster(server.host)
    run = cluster.submit(file)
    wanted = f"is {state.lower()}: Trainer: out of memory. See http"
    with pytest.raises(submission.RemoteRunFailed, match=wanted):
        cluster.wait(run, timeout_s=60, poll_s=0)


def test_does_not_wait_for_ever(server, file):
    server.states = ["RUNNING"]
    cluster = submit.Cluster(server.host)
    with pytest.raises(ValueError, match="still running after 0 s; it goes on"):
        cluster.wait(cluster.submit(file), timeout_s=0, poll_s=0)


def test_nobody_there():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        host = f"http://127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(ValueError, match=rf"(?s)answers at {host} .*port-forward"):
            submit.Cluster(host)


@pytest.mark.parametrize(
    ("status", "message"),
    [
        (401, r"does not let you in \(HTTP 401\).*--token"),
        (403, r"does not let you in \(HTTP 403\).*--namespace"),
        (302, r"does not let you in \(HTTP 401\)"),
        (404, r"is no Kubeflow Pipelines 2.x API"),
        (503, r"refuses \(HTTP 503\)"),
    ],
)
def test_refused_at_the_door(server, status, message):
    server.refuse = (status, {})
    with pytest.raises(ValueError, match=message):
        submit.Cluster(server.host)
    assert len(server.headers_seen) == 1


def test_refused_later_says_what_the_server_says(server, file):
    cluster = submit.Cluster(server.host)
    server.refuse = (400, {"error": "namespace is empty"})
    with pytest.raises(ValueError, match=r"HTTP 400.*namespace is empty"):
        cluster.submit(file)


def test_token_and_namespace_are_sent(server, file):
    submit.Cluster(server.host, token="secret", namespace="team").submit(file)
    assert all(h["authorization"] == "Bearer secret" for h in server.headers_seen)
    assert server.posted[0][1]["namespace"] == "team"
