"""The server as a process: start, hot reload under load, and a graceful end."""

import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request

import pytest
import uvicorn

from pipeline.serving import server

ROOT = pathlib.Path(__file__).resolve().parents[3]
# Starts the server as a person does, then says what was imported.
COMMAND = """
import sys
from pipeline import cli
try:
    cli.app(sys.argv[1:], standalone_mode=False)
finally:
    print(sorted({"tfx", "keras", "jinja2", "matplotlib"} & {*sys.modules}), flush=True)
"""


def _get(url):
    with urllib.request.urlopen(url, timeout=60) as answer:
        return json.loads(answer.read())


class _Server:
    def __init__(self, out, *options):
        self.process = subprocess.Popen(
            [sys.executable, "-c", COMMAND, "serve", str(out), "--port=0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
        )
        for line in self.process.stderr:
            if "http://" in line:
                self.url = line.split()[-1].rstrip("/")
                return
        raise AssertionError(f"It ended with {self.process.wait()}.")

    def end(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.communicate(timeout=60)[0]


def _version(url):
    return _get(url + "/readyz")["version"]


def _until(done):
    for _ in range(1200):
        if done():
            return
        time.sleep(0.05)
    raise AssertionError("It did not happen within a minute.")


def test_new_versions_and_going_back_under_load(tmp_path, push):
    """Clients ask all the time; none is refused, and versions never go astray."""
    serving = tmp_path / "serving"
    push(serving, 1)
    running = _Server(tmp_path)
    stop, failures, seen = threading.Event(), [], set()

    def ask():
        while not stop.is_set():
            try:
                answer = _get(running.url + "/recommend?user=ann&k=1")
                # Version 1 begins with item 0, version 2 with item 1.
                first = {1: "i0", 2: "i1"}[answer["version"]]
                assert answer["items"][0]["item_id"] == first
                seen.add(answer["version"])
            except Exception as error:
                failures.append(error)
            time.sleep(0.01)

    clients = [threading.Thread(target=ask) for _ in range(3)]
    for client in clients:
        client.start()
    try:
        push(serving, 2, first=1)
        _until(lambda: _version(running.url) == 2)
        (serving / "2").rename(tmp_path / "gone")
        _until(lambda: _version(running.url) == 1)
    finally:
        stop.set()
        for client in clients:
            client.join()
        log = running.end()
    assert failures == []
    assert seen == {1, 2}
    assert running.process.returncode == 0
    *lines, imported_for_nothing = log.splitlines()
    assert imported_for_nothing == "[]"
    assert {json.loads(line)["status"] for line in lines} == {200}


def test_waits_for_a_first_version_and_ends_in_the_middle_of_a_request(tmp_path, push):
    running = _Server(tmp_path, "--wait")
    with pytest.raises(urllib.error.HTTPError, match="503"):
        _get(running.url + "/readyz")
    assert _get(running.url + "/healthz") == {"status": "alive"}
    push(tmp_path / "serving", 3)
    _until(lambda: _get(running.url + "/v1/models/ncf")["model_version_status"])

    # A request whose body is still coming when the signal comes is answered.
    import http.client

    connection = http.client.HTTPConnection(running.url.removeprefix("http://"))
    connection.putrequest("POST", "/recommend")
    connection.putheader("Content-Length", "15")
    connection.endheaders(b'{"user": ')
    time.sleep(0.3)
    running.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    connection.send(b'"bob"}')
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["version"] == 3
    running.process.communicate(timeout=60)
    assert running.process.returncode == 0


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "No version in .* can be loaded"),
        (["--host=0.0.0.0"], "anybody who reaches this machine could ask"),
        (["--max-k=0"], "`max_k` must be >= 1; got 0"),
    ],
)
def test_a_start_that_cannot_be(tmp_path, options, reason):
    import re

    from typer import testing

    from pipeline import cli

    done = testing.CliRunner().invoke(cli.app, ["serve", str(tmp_path), *options])
    assert done.exit_code == 2
    assert re.search(reason, done.output.replace("\n", " "))


def test_a_connection_sends_an_answer_at_once():
    config = uvicorn.Config("an:app", port=0)
    with (
        server.listen(config) as listening,
        socket.create_connection(listening.getsockname()),
        listening.accept()[0] as accepted,
    ):
        assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_port_that_is_taken_is_refused_in_words():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1 port {port};"):
            server.listen(uvicorn.Config("an:app", port=port))
