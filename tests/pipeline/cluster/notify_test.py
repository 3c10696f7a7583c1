"""The task at the end of a run, which calls a webhook with the result."""

import http.server
import json
import os
import subprocess
import sys
import threading

import pytest

from pipeline.cluster import notify

FAILED = '{"state": "FAILED", "pipelineJobResourceName": "ncf-1"}'
GOOD = '{"state": "COMPLETE", "pipelineJobResourceName": "ncf-1"}'


class _Webhook(http.server.ThreadingHTTPServer):
    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.told, self.status = [], 200

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}/services/s3cret"


class _Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.told.append(json.loads(body))
        self.send_response(self.server.status)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


@pytest.fixture
def webhook(monkeypatch):
    with _Webhook() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        monkeypatch.setenv("NCF_WEBHOOK", running.url)
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        yield running
        running.shutdown()


def _main(status, *options):
    return notify.main(["--status", status, "--pipeline", "ncf", *options])


def test_a_failure_is_told(webhook):
    assert _main(FAILED) == 0
    assert webhook.told == [
        {
            "text": "Pipeline ncf, run ncf-1: FAILED",
            "pipeline": "ncf",
            "run": "ncf-1",
            "state": "FAILED",
        }
    ]


def test_what_still_runs_when_all_has_ended_was_ended_from_outside(webhook):
    assert _main('{"state": "RUNNING"}') == 0
    assert [body["text"] for body in webhook.told] == ["Pipeline ncf: RUNNING"]


@pytest.mark.parametrize("option", ["--when", "--on"])
def test_a_success_is_told_if_asked_for(webhook, option):
    """Pipelines compiled earlier, which pass `--on`, still run with a newer image."""
    assert _main(GOOD) == 0
    assert webhook.told == []
    assert _main(GOOD, option, "always") == 0
    assert webhook.told[0]["text"] == "Pipeline ncf, run ncf-1: succeeded"


def test_a_webhook_that_refuses_fails_the_task_and_keeps_the_secret(webhook, capsys):
    webhook.status = 403
    assert _main(FAILED) == 1
    said = capsys.readouterr().err
    assert "The webhook was not told (HTTP Error 403" in said
    assert "s3cret" not in said


def test_an_address_that_is_none(monkeypatch, capsys):
    monkeypatch.setenv("NCF_WEBHOOK", "file:///etc/passwd")
    assert _main(FAILED) == 1
    assert "must begin with http:// or https://" in capsys.readouterr().err


def test_it_needs_no_more_than_python(webhook, pytestconfig):
    """The task works even where TensorFlow or TFX cannot be imported."""
    code = "import sys; from pipeline.cluster import notify; notify.main(sys.argv[1:]);"
    code += "print(sorted(sys.modules.keys() & {'tfx', 'tensorflow', 'pydantic'}))"
    made = subprocess.run(
        [sys.executable, "-c", code, "--status", FAILED, "--pipeline", "ncf"],
        cwd=pytestconfig.rootpath,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    )
    assert made.stdout.splitlines()[-1] == "[]"
    assert len(webhook.told) == 1


@pytest.mark.parametrize("odd", [" ", "\n", "\x7f"])
def test_an_address_that_cannot_be_one_is_not_shown(webhook, monkeypatch, capsys, odd):
    monkeypatch.setenv("NCF_WEBHOOK", webhook.url + odd + "more")
    assert _main(FAILED) == 1
    assert webhook.told == []
    assert "s3cret" not in capsys.readouterr().err
