"""A task enforces its time limit itself where the service does not."""

import subprocess
import sys

PROGRAM = """
import time
from pipeline.cluster import entrypoint
entrypoint.end_after(0.05)
time.sleep(60)
"""


def test_a_task_that_takes_too_long_fails_and_says_why(pytestconfig):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=pytestconfig.rootpath,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ended.returncode == 124
    assert "took longer than `timeout_s`" in ended.stderr
