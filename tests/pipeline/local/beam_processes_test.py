"""No process of Beam outlives the one that started it."""

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
with beam_processes.ending_with_this_one():
    with beam.Pipeline("FnApiRunner", options=options) as pipeline:
        pipeline | beam.Create([1, 2]) | beam.Map(print)
"""


def _wait_until(condition):
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end, "It did not come to that."
        time.sleep(0.1)


def test_processes_that_start_end_with_a_run_that_is_killed():
    with subprocess.Popen([sys.executable, "-c", _RUN]) as run:
        children = []
        try:
            _wait_until(lambda: len(psutil.Process(run.pid).children()) == 2)
            children = psutil.Process(run.pid).children(recursive=True)
            run.kill()
            _wait_until(lambda: not any(map(_runs, children)))
        finally:
            run.kill()
            for child in children:
                with contextlib.suppress(psutil.Error):
                    child.kill()


def _runs(process):
    with contextlib.suppress(psutil.Error):
        return process.status() != psutil.STATUS_ZOMBIE
    return False
