"""Starts whole runs of `ncf run` as processes of their own, which tests may kill."""

import contextlib
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import numpy as np
import psutil
from ml_metadata import metadata_store
from ml_metadata.proto import metadata_store_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = 3600
PAIRS = ("model.history=null", "train.epochs=6", "train.batch_size=256")
HISTORY = ("model.history.factors=8", "train.epochs=6", "train.batch_size=256")
SETTINGS = PAIRS


def write_data(file):
    """Writes the data of 160 users: each has 8 of the 12 items of one of 4 groups."""
    rng = np.random.default_rng(7)
    with open(file, "w") as f:
        f.write("user,item,timestamp\n")
        for user in range(160):
            own = rng.permutation(12)[:8] + user % 4 * 12
            for time_, item in enumerate([rng.integers(48), *own]):
                f.write(f"u{user:04},i{item},{1_000_000_000 + time_}\n")


def arguments(data, out, settings=SETTINGS, options=()):
    """Returns the arguments of `ncf run`."""
    sets = [word for setting in settings for word in ("--set", setting)]
    return ["run", "--dataset", str(data), "--out", str(out), *options, *sets]


class Killable:
    """A run whose process leads a session of its own, so that its children die too."""

    def __init__(self, out):
        self.out = pathlib.Path(out)
        self._logs = set(self.out.glob("logs/*.log"))
        self.pid = self.start()

    def start(self):
        raise NotImplementedError

    def ended(self):
        raise NotImplementedError

    def wait_for_node(self, node):
        """Waits until a node starts; returns False if the run ends before that."""
        line = f"Component {node} is running."
        while not self.ended():
            for log in set(self.out.glob("logs/*.log")) - self._logs:
                if line in log.read_text(errors="replace"):
                    return True
            time.sleep(0.1)
        return False

    def kill(self, number, target):
        """Sends a signal to the process group, the parent alone or its children."""
        with contextlib.suppress(ProcessLookupError, psutil.NoSuchProcess):
            if target == "group":
                os.killpg(self.pid, number)
            elif target == "parent":
                os.kill(self.pid, number)
            else:
                process = psutil.Process(self.pid)
                for child in process.children(recursive=True) or [process]:
                    child.send_signal(number)

    def wait_for_the_last(self):
        """Waits until no process of the session is left, including orphans."""
        end = time.monotonic() + PATIENCE_S
        while left := [p for p in psutil.pids() if _session(p) == self.pid]:
            assert time.monotonic() < end, left
            time.sleep(0.2)


class Run(Killable):
    """A process of `ncf run`, which first imports all packages."""

    def __init__(self, data, out, *settings, options=(), env=None):
        self._command = [sys.executable, "-m", "pipeline.cli"]
        self._command += arguments(data, out, (*SETTINGS, *settings), options)
        self._env = os.environ | {"COLUMNS": "120"} | (env or {})
        super().__init__(out)

    def start(self):
        self._said = tempfile.TemporaryFile()  # noqa: SIM115
        self.process = subprocess.Popen(
            self._command,
            cwd=ROOT,
            stdout=self._said,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=self._env,
            # A process that a script starts in the background ignores SIGINT by
            # default.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        return self.process.pid

    def ended(self):
        return self.process.poll() is not None

    def wait(self):
        """Waits for the end of the run; returns its exit status and its output."""
        status = self.process.wait(PATIENCE_S)
        self._said.seek(0)
        said = self._said.read().decode()
        self._said.close()
        return status, said


class WarmRun(Killable):
    """A run that a `run_server`, which has imported everything before, has forked."""

    def __init__(self, runs, data, out, settings):
        self._runs, self._arguments = runs, arguments(data, out, settings)
        runs.log.unlink(missing_ok=True)
        super().__init__(out)

    def start(self):
        return self._runs.start(ROOT, self._arguments)

    def ended(self):
        return not psutil.pid_exists(self.pid)

    def wait(self):
        status, _ = self._runs.wait()
        return status, self._runs.said()


def _session(pid):
    with contextlib.suppress(ProcessLookupError, PermissionError):
        return os.getsid(pid)
    return None


def summary(out):
    file = pathlib.Path(out) / "report" / "summary.json"
    return json.loads(file.read_text()) if file.exists() else None


def states(out):
    """Returns how many executions ML Metadata has in each state."""
    connection = metadata_store_pb2.ConnectionConfig()
    connection.sqlite.filename_uri = str(pathlib.Path(out) / "metadata.sqlite")
    found = {}
    for execution in metadata_store.MetadataStore(connection).get_executions():
        name = metadata_store_pb2.Execution.State.Name(execution.last_known_state)
        found[name] = found.get(name, 0) + 1
    return found


def draw_kill(rng):
    """Returns a random signal and which of a run's processes it is sent to."""
    number = rng.choice((signal.SIGKILL, signal.SIGINT, signal.SIGTERM))
    return number, rng.choice(("group", "parent", "children"))
