"""A process that runs trials, one after the other: `python -m ncf_model.tuning.worker`.

The process reads and writes JSON, a line at a time. It reads `{"values": {...}}`,
writes `{"step": 2500, "figure": 0.1}` after each epoch, reads `{"end": false}`, and at
last writes `{"done": true}` or `{"failed": "why"}`. It ends when nobody reads any more.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from typing import IO, Any

from ncf_model import cores

DATA_FILE, JOB_FILE = "data.npz", "job.json"


class Died(RuntimeError):
    """The process ended before its trial did."""


class Worker:
    """Starts the process when it is needed, and again if it died."""

    def __init__(self, folder: pathlib.Path, *, threads: int) -> None:
        """Starts nothing yet.

        Args:
            folder: holds the data (`Shared.save`) and the job: JSON with `custom` and
                `objective`.
            threads: how many threads TensorFlow and linear algebra have.
        """
        self._folder = folder
        self._threads = threads
        self._process: subprocess.Popen[str] | None = None
        self._closed = False
        self._lock = threading.Lock()

    def __call__(self, values: Mapping[str, Any], report: Any) -> None:
        """Runs a trial; see `trial.run`.

        Raises:
            ValueError: the trial failed, and would fail again.
            Died: the process ended.
        """
        process = self._started()
        self._send(process, {"values": dict(values)})
        while True:
            answer = self._receive(process)
            if "failed" in answer:
                raise ValueError(answer["failed"])
            if "done" in answer:
                return
            self._send(process, {"end": report(answer["step"], answer["figure"])})

    def close(self) -> None:
        """Ends the process, whatever it is doing."""
        with self._lock:
            self._closed = True
            if self._process is not None:
                self._process.kill()
                self._process.wait()

    def _started(self) -> "subprocess.Popen[str]":
        with self._lock:
            if self._closed:
                raise Died("The search has ended.")
            if self._process is None:
                limits = cores.thread_limits(self._threads)
                path = os.pathsep.join(place or os.getcwd() for place in sys.path)
                self._process = subprocess.Popen(
                    [sys.executable, "-m", __name__, str(self._folder)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, **limits, "PYTHONPATH": path},
                    text=True,
                )
            return self._process

    def _send(self, process: "subprocess.Popen[str]", message: Any) -> None:
        try:
            _write(process.stdin, message)
        except OSError:
            self._gone(process)

    def _receive(self, process: "subprocess.Popen[str]") -> dict[str, Any]:
        line = process.stdout.readline() if process.stdout else ""
        if not line.endswith("\n"):
            self._gone(process)
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _gone(self, process: "subprocess.Popen[str]") -> None:
        process.kill()
        status = process.wait()
        with self._lock:
            self._process = None
        raise Died(f"The process of a trial ended with status {status}.")


def _write(channel: IO[str] | None, message: Any) -> None:
    if channel is not None:
        channel.write(json.dumps(message) + "\n")
        channel.flush()


def main(folder: str) -> None:
    """Runs trials until standard input ends."""
    # Ctrl-C is meant for the process that started this one, and which ends this one.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Output of libraries must not mix with the answers.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    # Late: TensorFlow prints when it is imported.
    from ncf_model.tuning import shared, trial

    place = pathlib.Path(folder)
    job = json.loads((place / JOB_FILE).read_text())
    read = shared.load(place / DATA_FILE)

    def report(step: int, figure: float) -> bool:
        _write(answers, {"step": step, "figure": figure})
        line = sys.stdin.readline()
        if not line:
            sys.exit(1)
        return bool(json.loads(line)["end"])

    for line in sys.stdin:
        values = json.loads(line)["values"]
        try:
            trial.run(
                read,
                job["custom"],
                values,
                objective=job["objective"],
                report=report,
            )
        except ValueError as error:
            _write(answers, {"failed": str(error)})
        else:
            _write(answers, {"done": True})


if __name__ == "__main__":
    main(sys.argv[1])
