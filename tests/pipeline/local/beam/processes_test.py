"""Processes of Beam do not outlive their run, nor die unnoticed, and are private."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

_RUN = """
import time

import apache_beam as beam
from pipeline import interrupts
from pipeline.local.beam import processes

arguments = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
options = beam.options.pipeline_options.PipelineOptions(arguments)
with interrupts.never_lost(), processes.contained():
    with beam.Pipeline("FnApiRunner", options=options) as pipeline:
        pipeline | beam.Create([1, 2]) | beam.Map(lambda x: time.sleep(600))
"""


def _wait_until(condition):
    end = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < end, "It did not come to that."
        time.sleep(0.1)


@contextlib.contextmanager
def _with_processes(number):
    """Starts a run; yields it, the server and its processes when there are so many."""
    command = [sys.executable, "-c", _RUN]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as run:
        found = []
        try:
            children = psutil.Process(run.pid).children
            _wait_until(lambda: len(children(recursive=True)) == 1 + number)
            found = children(recursive=True)
            yield run, *found
        finally:
            run.kill()
            for child in found:
                with contextlib.suppress(psutil.Error):
                    child.kill()


@pytest.mark.parametrize("number", [0, 2])
def test_processes_end_with_a_run_that_is_killed(number):
    """Without processes the server is still importing TFX."""
    with _with_processes(number) as (run, *children):
        _wait_until(lambda: children[0].memory_info().rss > 100e6)
        children[0].suspend()  # It cannot notice anything itself.
        run.kill()
        _wait_until(lambda: not any(map(_runs, children)))


@pytest.mark.parametrize(("number", "dies"), [(0, 0), (2, 0), (2, 1)])
def test_a_process_that_dies_ends_the_run_and_the_others(number, dies):
    with _with_processes(number) as (run, *children):
        listens = [
            connection.laddr.ip
            for connection in psutil.Process(run.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        children[dies].kill()
        _, said = run.communicate(timeout=60)
        assert run.returncode == 1
        assert "RuntimeError: A process of Beam has died" in said
        _wait_until(lambda: not any(map(_runs, children)))
    assert listens or not number
    assert all(ip.removeprefix("::ffff:") in ("::1", "127.0.0.1") for ip in listens)


@pytest.mark.usefixtures("_ctrl_c_is_heard")
@pytest.mark.parametrize("to_group", [True, False])
def test_ctrl_c_ends_a_run_whose_processes_are_still_to_come(to_group):
    """The server is still importing TFX, and does not heed Ctrl-C."""
    with _with_processes(0) as (run, server):
        _wait_until(lambda: server.memory_info().rss > 100e6)
        (os.killpg if to_group else os.kill)(run.pid, signal.SIGINT)
        _, said = run.communicate(timeout=60)
        assert run.returncode == -signal.SIGINT, said
        _wait_until(lambda: not _runs(server))


def _runs(process):
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
