"""Makes Beam's processes safe: private, and neither outliving nor failing silently.

If a run is killed while Beam's own processes start, they keep waiting for it, each with
a copy of TensorFlow in memory. If one of them dies, such as for want of memory, the run
waits for ever. Besides, Beam starts them by a shell and can stop only that, and its
servers for them listen on every network interface and ask for no password.
"""

import contextlib
import os
import shlex
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

import psutil
from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from pipeline import interrupts

_MODULE = "apache_beam.runners.worker.sdk_worker_main"
# 1 is PR_SET_PDEATHSIG: the kernel kills the process when its parent is gone.
_SCRIPT = (
    "import ctypes, os, runpy, signal; ctypes.CDLL(None).prctl(1, signal.SIGKILL); "
    "os.getppid() == {parent} or os._exit(1); "
    f"runpy.run_module({_MODULE!r}, run_name='__main__', alter_sys=True)"
)
# After Ctrl-C the processes die, too, maybe before this one has noticed it.
_CTRL_C_S = 1.0
_modules = (local_job_service, worker_handlers)
_grpc = local_job_service.grpc


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Lets Beam start such processes in the block.

    Raises:
        RuntimeError: a process died; only where the block is in the main thread.
    """
    worker = local_job_service.SubprocessSdkWorker
    run, is_main = worker.run, threading.current_thread() is threading.main_thread()
    dead: list[Any] = []

    def run_ours(self: Any) -> None:
        # The shell is replaced, so that the process is a child of this one.
        command = [sys.executable, "-c", _SCRIPT.format(parent=os.getpid())]
        self._worker_command_line = f"exec {shlex.join(command)}"
        try:
            run(self)
        except RuntimeError:
            dead.append(self)
            time.sleep(_CTRL_C_S)
            if dead[0] is self and is_main and not interrupts.was_pressed():
                _kill_the_others()
                main = threading.main_thread().ident
                signal.pthread_kill(main or 0, signal.SIGUSR1)
            raise

    private = types.SimpleNamespace(**vars(_grpc) | {"server": _private_server})
    before = signal.signal(signal.SIGUSR1, _end_the_run) if is_main else None
    worker.run = run_ours
    for module in _modules:
        module.grpc = private
    try:
        yield
    finally:
        worker.run = run
        for module in _modules:
            module.grpc = _grpc
        if is_main:
            signal.signal(signal.SIGUSR1, before)


def _kill_the_others() -> None:
    """Kills all processes of Beam, for whose end it waits."""
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.Error):
            if any(_MODULE in word for word in child.cmdline()):
                child.kill()


def _end_the_run(*_: Any) -> None:
    raise RuntimeError(
        "A process of Beam has died, which must not happen; maybe the memory did not "
        "suffice. Run the same command again, with `--beam-workers 1`."
    )


def _private_server(*args: Any, **named: Any) -> Any:
    """Returns a gRPC server that only this machine reaches."""
    server = _grpc.server(*args, **named)
    add = server.add_insecure_port
    server.add_insecure_port = lambda at: add(at.replace("[::]", "localhost"))
    return server
