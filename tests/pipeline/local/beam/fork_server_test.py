"""Forked processes of Beam find what the run finds, and do not run its script."""

import os
import pathlib
import subprocess
import sys

import pytest

_SCRIPT = """
import os
import sys

import apache_beam as beam
from pipeline.local.beam import fork_server, processes

print("The script runs.", flush=True)
arguments = ["--direct_num_workers=2", "--direct_running_mode=multi_processing"]
options = beam.options.pipeline_options.PipelineOptions(arguments)
with processes.contained():
    {early}
    os.chdir("later")
    sys.path.append("modules")
    os.environ["SET_LATER"] = "yes"
    import own
    for number in range(2):
        if number:
            {between}
        with beam.Pipeline("FnApiRunner", options=options) as pipeline:
            pipeline | beam.Create([1]) | beam.Map(own.tell)
"""
_MODULE = """
import os
import sys

import numpy as np


def tell(_):
    me = [os.environ["SET_LATER"], sys.stdin.read(), "tfx" in sys.modules]
    print("A worker:", *me, np.random.random(), flush=True)
"""


# Without an early start the first of Beam's processes asks for the server. One that has
# died between two nodes, such as for want of memory, is replaced.
@pytest.mark.parametrize(
    ("early", "between"),
    [
        ("fork_server.get_ready()", "pass"),
        ("", "pass"),
        ("", "fork_server.kill(); fork_server._server[0][0].wait()"),
    ],
)
def test_modules_folder_and_environment_are_those_of_the_run(tmp_path, early, between):
    modules = tmp_path / "later" / "modules"
    modules.mkdir(parents=True)
    (modules / "own.py").write_text(_MODULE)
    (tmp_path / "script.py").write_text(_SCRIPT.format(early=early, between=between))
    # A folder that is named from the run's, as of an entry in PYTHONPATH.
    project = os.path.relpath(pathlib.Path(__file__).parents[4], tmp_path)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": project},
        input="Only the run may read this.",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, *workers = done.stdout.splitlines()
    assert first == "The script runs."
    told, numbers = zip(*(line.rsplit(" ", 1) for line in workers), strict=True)
    assert told == ("A worker: yes  True",) * 2
    assert len(set(numbers)) == 2
