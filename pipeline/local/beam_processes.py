"""Lets the processes of Beam end with the one that started them, however it ends.

If a run is killed while Beam's own start, they keep waiting for it, each with a copy of
TensorFlow in memory. Besides, Beam starts them by a shell and can stop only that.
"""

import contextlib
import os
import shlex
import sys
from collections.abc import Iterator
from typing import Any

from apache_beam.runners.portability import local_job_service

# 1 is PR_SET_PDEATHSIG: the kernel kills the process when its parent is gone.
_SCRIPT = (
    "import ctypes, os, runpy, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "os.getppid() == {parent} or os._exit(1); "
    "runpy.run_module('apache_beam.runners.worker.sdk_worker_main', "
    "run_name='__main__', alter_sys=True)"
)


@contextlib.contextmanager
def ending_with_this_one() -> Iterator[None]:
    """Lets Beam start such processes in the block."""
    worker = local_job_service.SubprocessSdkWorker
    run = worker.run

    def run_ours(self: Any) -> None:
        # The shell is replaced, so that the process is a child of this one.
        command = [sys.executable, "-c", _SCRIPT.format(parent=os.getpid())]
        self._worker_command_line = f"exec {shlex.join(command)}"
        run(self)

    worker.run = run_ours
    try:
        yield
    finally:
        worker.run = run
