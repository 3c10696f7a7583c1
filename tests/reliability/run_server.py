"""Runs of `ncf run` that start at once: a process that forks them; see warm_runs."""

import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


class Runs:
    """Starts runs, one at a time, in processes forked from one that has imported TFX.

    Each is the leader of a session of its own.

    Attributes:
        log: what the runs have printed.
        seconds: of a processor that the last run took, from its fork to its end.
    """

    seconds = 0.0

    def __init__(self, folder, *, of=None):
        """Starts the server.

        Args:
            folder: for what the runs print.
            of: the folder of our packages if all runs have these; they are imported
                before, too. None: each request may bring an edited copy.
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
            # Beam makes hundreds of parsers, each of which looks for translations.
            | {"LANGUAGE": "C"},
        )

    def start(self, code, arguments, kill_after=None):
        """Starts a run; returns its process's id."""
        request = {
            "code": str(code),
            "arguments": arguments,
            "log": str(self.log),
            "kill_after": kill_after,
        }
        print(json.dumps(request), file=self._server.stdin, flush=True)
        return json.loads(self._server.stdout.readline())

    def wait(self):
        """Returns the exit status, negative if killed, and the number of steps."""
        status, steps, self.seconds = json.loads(self._server.stdout.readline())
        return status, steps

    def run(self, code, arguments, kill_after=None):
        """Starts a run and waits for it."""
        self.start(code, arguments, kill_after)
        return self.wait()

    def said(self):
        """Returns the end of all that runs have printed."""
        return self.log.read_text(errors="replace")[-3000:] if self.log.exists() else ""

    def close(self):
        self._server.stdin.close()
        try:
            self._server.wait(timeout=60)
        finally:
            self._server.kill()
