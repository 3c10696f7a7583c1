"""Starts runs of `ncf run` without their imports: forks of a process; see warm_runs."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Runs:
    """Starts runs, one at a time, in processes forked from one that has imported TFX.

    Each run's process is the leader of a session of its own.

    Attributes:
        log: the file with the output of all runs.
        seconds: the CPU seconds of the last run, from its fork to its end.
    """

    seconds = 0.0

    def __init__(self, folder, *, of=None):
        """Starts the server.

        Args:
            folder: the folder for the output of the runs.
            of: the folder with our packages that all runs use, which are then imported
                before the fork, too. With None each run may use an edited copy.
        """
        self.log = folder / "runs.log"
        command = [
            sys.executable,
            str(pathlib.Path(__file__).with_name("warm_runs.py")),
        ]
        self._server = subprocess.Popen(
            [*command, *([] if of is None else [str(of)])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=os.environ
            | {"TF_CPP_MIN_LOG_LEVEL": "3", "COLUMNS": "120"}
            # With LANGUAGE=C the hundreds of parsers that Beam makes look for no files
            # of translations.
            | {"LANGUAGE": "C"},
        )

    def start(self, code, arguments, kill_after=None):
        """Starts a run; returns the id of its process."""
        request = {
            "code": str(code),
            "arguments": arguments,
            "log": str(self.log),
            "kill_after": kill_after,
        }
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())

    def wait(self):
        """Waits for the run; returns its exit status and its number of steps.

        The status of a killed run is negative.
        """
        status, steps, self.seconds = json.loads(self._server.stdout.readline())
        return status, steps

    def run(self, code, arguments, kill_after=None):
        """Starts a run and waits for it."""
        self.start(code, arguments, kill_after)
        return self.wait()

    def said(self):
        """Returns the last characters of the output of all runs."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def close(self):
        self._server.stdin.close()
        try:
            self._server.wait(timeout=60)
        finally:
            self._server.kill()
