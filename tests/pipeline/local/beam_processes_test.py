"""Processes of Beam do not outlive their run, nor die unnoticed, and are private."""

import contextlib
import subprocess
import sys
import time

import psutil

_RUN = """
import apache_beam as beam
from pipeline.local import beam_processes

arguments = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
options = beam.options.pipeline_options.PipelineOptions(arguments)
with beam_processes.contained():
    with beam.Pipeline("FnApiRunner", options=options) as pipeline:
        pipeline | beam.Create([1, 2]) | beam.Map(print)
"""


def _wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "It did not come to that."
        time.sleep(0.1)


@contextlib.contextmanager
def _with_two_processes():
    """Starts a run; yields it when its two processes of Beam have started."""
    command = [sys.executable, "-c", _RUN]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as run:
        children = []
        try:
            _wait_until(lambda: len(psutil.Process(run.pid).children()) == 2)
            children = psutil.Process(run.pid).children(recursive=True)
            yield run, children
        finally:
            run.kill()
            for child in children:
                with contextlib.suppress(psutil.Error):
                    child.kill()


def test_processes_that_start_end_with_a_run_that_is_killed():
    with _with_two_processes() as (run, children):
        run.kill()
        _wait_until(lambda: not any(map(_runs, children)))


def test_a_process_that_dies_ends_the_run_and_the_others():
    with _with_two_processes() as (run, children):
        listens = [
            connection.laddr.ip
            for connection in psutil.Process(run.pid).net_connections()
            if connection.status == psutil.CONN_LISTEN
        ]
        children[0].kill()
        _, said = run.communicate(timeout=60)
        assert run.returncode == 1
        assert "RuntimeError: A process of Beam has died" in said
        _wait_until(lambda: not any(map(_runs, children)))
    assert listens
    assert all(ip.removeprefix("::ffff:") in ("::1", "127.0.0.1") for ip in listens)


def _runs(process):
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
