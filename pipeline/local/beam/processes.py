"""Makes Beam's processes safe: private, and neither outliving nor failing silently.

If a run is killed while Beam's own processes start, they keep waiting for it, each with
a copy of TensorFlow in memory. If one of them dies, such as for want of memory, the run
waits for ever. Besides, Beam's servers for them listen on every network interface and
ask for no password.
"""

import contextlib
import signal
import sys
import threading
import time
import types
from collections.abc import Iterator
from typing import Any

from apache_beam.runners.portability import local_job_service
from apache_beam.runners.portability.fn_api_runner import worker_handlers

from pipeline import interrupts
from pipeline.local.beam import fork_server

# After Ctrl-C the processes die, too, maybe before this one has noticed it.
_CTRL_C_S = 1.0
_modules = (local_job_service, worker_handlers)
_grpc, _subprocess = local_job_service.grpc, local_job_service.subprocess


@contextlib.contextmanager
def contained() -> Iterator[None]:
    """Lets Beam have such processes in the block, which `fork_server` makes.

    Raises:
        RuntimeError: a process died; only where the block is in the main thread.
    """
    worker = local_job_service.SubprocessSdkWorker
    manager = worker_handlers.WorkerHandlerManager
    make, run, close_all = worker.__init__, worker.run, manager.close_all
    is_main = threading.current_thread() is threading.main_thread()
    dead: list[Any] = []
    over = threading.Event()

    def make_ours(self: Any, *args: Any) -> None:
        # Here, as the server ends with its thread, and each worker runs in its own.
        fork_server.get_ready()
        make(self, *args)

    def run_ours(self: Any) -> None:
        try:
            run(self)
        except Exception:
            dead.append(self)
            time.sleep(_CTRL_C_S)
            known = interrupts.was_pressed() or over.is_set()
            if dead[0] is self and is_main and not known:
                fork_server.kill()
                main = threading.main_thread().ident
                signal.pthread_kill(main or 0, signal.SIGUSR1)
            raise

    def close_all_ours(self: Any) -> None:
        # After Ctrl-C, for one. Beam would wait for processes that are still to come.
        if sys.exc_info()[0]:
            fork_server.kill()
        close_all(self)

    private = types.SimpleNamespace(**vars(_grpc) | {"server": _private_server})
    before = signal.signal(signal.SIGUSR1, _end_the_run) if is_main else None
    worker.__init__, worker.run = make_ours, run_ours
    manager.close_all = close_all_ours
    local_job_service.subprocess = types.SimpleNamespace(Popen=_forked)
    for module in _modules:
        module.grpc = private
    try:
        yield
    finally:
        over.set()
        fork_server.forget()
        worker.__init__, worker.run = make, run
        manager.close_all = close_all
        local_job_service.subprocess = _subprocess
        for module in _modules:
            module.grpc = _grpc
        if is_main:
            signal.signal(signal.SIGUSR1, before)


def _forked(*_: Any, env: dict[str, str], **__: Any) -> fork_server.Worker:
    """Returns the process that Beam would start by a command."""
    return fork_server.Worker(env)


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
