"""A process that imports TFX once, and becomes each of Beam's processes by a fork.

Beam starts processes anew for each node, and each would import TFX, which takes six
seconds. Forked processes need no import, and share the memory of what was imported.
"""

import contextlib
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import traceback
from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline import start_up

_SCRIPT = (
    "import sys; sys.path[:] = {path!r}; "
    "from pipeline.local.beam import fork_server; fork_server.serve({parent})"
)
_PR_SET_PDEATHSIG = 1
_DONE = b"."
# The process and the socket for requests to it, if there is one.
_server: list[tuple[subprocess.Popen[bytes], socket.socket]] = []


def get_ready() -> None:
    """Starts the server if there is none, or it has died, and does not wait for it.

    The server ends with the thread that has started it, if not before.
    """
    if _server and _server[0][0].poll() is None:
        return
    forget()
    ours, theirs = socket.socketpair()
    script = _SCRIPT.format(path=[*map(str, sys.path)], parent=os.getpid())
    command = [sys.executable, "-c", script]
    with theirs:
        process = subprocess.Popen(command, stdin=theirs.fileno())
    _server.append((process, ours))


def kill() -> None:
    """Kills the server, if there is one, and with it all processes of Beam."""
    for process, _ in _server:
        process.kill()


def forget() -> None:
    """Ends the server, if there is one, and with it all processes of Beam."""
    kill()
    while _server:
        process, requests = _server.pop()
        requests.close()
        process.wait()


class Worker:
    """One of Beam's processes, with what Beam uses of `subprocess.Popen`.

    Attributes:
        returncode: None until `wait` has returned, then 0 unless the process died.
    """

    def __init__(self, environment: Mapping[str, str]) -> None:
        """Asks the server for the process; `wait` tells if that is dead, too."""
        self.returncode: int | None = None
        self._channel, theirs = socket.socketpair()
        with contextlib.suppress(OSError):
            about = [dict(environment), os.getcwd(), [*map(str, sys.path)]]
            with theirs:
                socket.send_fds(_server[0][1], [b" "], [theirs.fileno()])
            self._channel.sendall(json.dumps(about).encode())
            self._channel.shutdown(socket.SHUT_WR)

    def wait(self) -> None:
        """Returns when the process has done its work, or has died."""
        said = b""
        with self._channel, contextlib.suppress(OSError):
            said = self._channel.recv(1)
        self.returncode = 0 if said == _DONE else 1

    def poll(self) -> int | None:
        """Returns `returncode`."""
        return self.returncode


def serve(parent: int) -> None:
    """Forks a process for each request on standard input, until that is closed."""
    _die_with(parent)
    on_ctrl_c = signal.signal(signal.SIGINT, signal.SIG_IGN)
    with start_up.first_import("tfx"):
        from apache_beam.runners.worker import sdk_worker_main  # noqa: F401

        from pipeline import pipeline  # noqa: F401
    sys.stdout.flush()
    sys.stderr.flush()
    on_end = signal.signal(signal.SIGCHLD, _reap)
    me = os.getpid()
    with socket.socket(fileno=0) as requests:
        while channels := socket.recv_fds(requests, 1, 1)[1]:
            with socket.socket(fileno=channels[0]) as channel:
                if os.fork() == 0:
                    signal.signal(signal.SIGINT, on_ctrl_c)
                    signal.signal(signal.SIGCHLD, on_end)
                    os._exit(_work(channel, me))


def _work(channel: socket.socket, parent: int) -> int:
    """Is one of Beam's processes; returns its exit status."""
    try:
        _die_with(parent)
        with open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)  # Requests are not for this process.
        with channel.makefile() as sent:
            environment, folder, sys.path[:] = json.load(sent)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        # TFX draws from this state, and all processes would draw the same numbers.
        np.random.seed()  # noqa: NPY002
        from apache_beam.runners.worker import sdk_worker_main

        sdk_worker_main.main([])
        channel.sendall(_DONE)
    except BaseException:
        traceback.print_exc()
        return 1
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
    return 0


def _die_with(parent: int) -> None:
    """Lets the kernel kill this process when its parent is gone."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)


def _reap(*_: Any) -> None:
    """Lets ended processes go."""
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
