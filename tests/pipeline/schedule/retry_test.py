"""A command that fails is tried again, and failures are reported if asked for."""

import http.server
import json
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from pipeline.schedule import retry

# Fails until it was called as often as its second argument says.
SCRIPT = """
import pathlib, sys
file = pathlib.Path(sys.argv[1])
calls = int(file.read_text()) + 1 if file.exists() else 1
file.write_text(str(calls))
print(f"call {calls}")
sys.exit(0 if calls >= int(sys.argv[2]) else int(sys.argv[3]))
"""


def _run(tmp_path, *, until, status=1, **settings):
    """Returns the exit status, what was said, and the pauses."""
    said, slept = [], []
    arguments = [str(tmp_path / "calls"), str(until), str(status)]
    found = retry.run(
        arguments,
        program=[sys.executable, "-c", SCRIPT],
        after_s=5,
        sleep=slept.append,
        say=said.append,
        **settings,
    )
    return found, said, slept


def test_a_success_ends_it(tmp_path):
    status, said, slept = _run(tmp_path, until=2, times=5)
    assert (status, slept) == (0, [5])
    assert said == ["call 1", "Attempt 2 of 6, in 5 s.", "call 2"]


def test_output_that_is_no_text_ends_nothing():
    script = r"import sys; sys.stdout.buffer.write(b'no \xff here\n'); sys.exit(3)"
    said = []
    status = retry.run(
        [], times=0, after_s=0, program=[sys.executable, "-c", script], say=said.append
    )
    assert (status, said) == (3, ["no \ufffd here"])


@pytest.mark.parametrize("status", [1, 2])
def test_the_last_status_is_that_of_the_command(tmp_path, status):
    found, said, slept = _run(tmp_path, until=9, status=status, times=1)
    assert (found, slept) == (status, [5])
    assert said[-1] == "call 2"


def test_what_was_stopped_by_hand_is_not_tried_again(tmp_path):
    found, _, slept = _run(tmp_path, until=9, status=130, times=3)
    assert (found, slept) == (130, [])


def test_the_webhook_is_told_once_after_the_last_attempt(tmp_path):
    told = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            length = int(self.headers["Content-Length"])
            told.append(json.loads(self.rfile.read(length)))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *args):
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/hook/secret?token=secret"
        status, said, _ = _run(tmp_path, until=9, times=1, webhook=url)
        server.shutdown()
    assert status == 1
    [failure] = told
    assert failure["exit_status"] == 1
    assert failure["attempts"] == 2
    assert failure["output"] == "call 2"
    assert "failed on" in failure["text"]
    assert said[-1] == "Told the webhook at 127.0.0.1: HTTP 204."
    assert "secret" not in said[-1]


def test_a_webhook_that_nobody_answers_changes_no_status(tmp_path):
    status, said, _ = _run(tmp_path, until=9, times=0, webhook="http://127.0.0.1:9/x")
    assert status == 1
    assert "could not be told" in said[-1]


def test_ctrl_c_while_a_command_is_loaded_is_no_failure():
    script = (
        "import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)"
    )
    slept = []
    status = retry.run(
        [],
        times=3,
        after_s=1,
        program=[sys.executable, "-c", script],
        sleep=slept.append,
        say=lambda line: None,
    )
    assert (status, slept) == (130, [])


def test_sigterm_ends_the_command_too():
    endless = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    call = (
        "import functools, sys; from pipeline.schedule import retry; "
        "retry.run(sys.argv[3:], times=1, after_s=60, program=sys.argv[1:3], "
        "say=functools.partial(print, flush=True))"
    )
    command = [sys.executable, "-c", call, sys.executable, "-c", endless]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        run = psutil.Process(int(process.stdout.readline()))
        process.terminate()
        left = process.stdout.read()
    assert (process.returncode, left) == (-signal.SIGTERM, "")
    assert not run.is_running()
