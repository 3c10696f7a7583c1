"""Runs a command of `ncf` again if it fails; tells a webhook if it still fails."""

import collections
import datetime
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

from pipeline import interrupts
from pipeline import webhook as webhooks

_LINES = 40  # The webhook gets so many lines of output, the last ones.


class _Terminated(BaseException):
    """SIGTERM came during an attempt."""


def run(
    arguments: Sequence[str],
    *,
    times: int,
    after_s: float,
    webhook: str | None = None,
    program: Sequence[str] = (sys.executable, "-m", "pipeline.command"),
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> int:
    """Returns the exit status of the last attempt; 0 as soon as one succeeds.

    A command that was refused is tried again, too, because late data may be there by
    then. A command that was stopped by hand is not.

    Args:
        arguments: of `ncf`.
        times: how often a failed command is tried again, 0 or more.
        after_s: seconds to wait before that.
        webhook: URL to which a failure of the last attempt is posted as JSON.
        program: the program that is run with the arguments.
        sleep: waits for so many seconds.
        say: called with each line of the output.
    """
    attempts, status = 0, 0
    last: collections.deque[str] = collections.deque(maxlen=_LINES)
    while attempts <= times:
        if attempts:
            say(f"Attempt {attempts + 1} of {times + 1}, in {after_s:g} s.")
            sleep(after_s)
        attempts += 1
        last.clear()
        status = _attempt([*program, *arguments], last, say)
        if status == -signal.SIGINT:  # Ctrl-C came while it was loaded.
            status = interrupts.STOPPED
        if status in (0, interrupts.STOPPED):
            return status
    if webhook:
        told = _failure(arguments, status=status, attempts=attempts, lines=last)
        say(_tell(webhook, told))
    return status


def _attempt(
    command: Sequence[str], last: "collections.deque[str]", say: Callable[[str], None]
) -> int:
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        errors="replace",  # A file's name may be anything.
    )
    assert process.stdout is not None  # noqa: S101  # It was asked for.
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        for line in process.stdout:
            last.append(line.rstrip("\n"))
            say(last[-1])
        return process.wait()
    except KeyboardInterrupt:  # The run gets Ctrl-C, too, and says how to continue.
        process.wait()
        return interrupts.STOPPED
    except _Terminated:  # The run ends first: nobody would know of it afterwards.
        process.terminate()
        process.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
    signal.raise_signal(signal.SIGTERM)
    return -signal.SIGTERM


def _terminate(*_: Any) -> None:
    raise _Terminated


def _failure(
    arguments: Sequence[str], *, status: int, attempts: int, lines: Sequence[str]
) -> dict[str, Any]:
    now = datetime.datetime.now(datetime.timezone.utc)
    command = f"ncf {shlex.join(arguments)}"
    return {
        "text": f"{command} failed on {socket.gethostname()}, exit status {status}.",
        "command": command,
        "host": socket.gethostname(),
        "exit_status": status,
        "attempts": attempts,
        "time": now.isoformat(timespec="seconds"),
        "output": "\n".join(lines),
    }


def _tell(url: str, failure: dict[str, Any]) -> str:
    """Posts a failure to a webhook; returns what came of that, and never raises."""
    try:
        return f"Told the webhook at {webhooks.post(url, failure)}."
    except webhooks.WebhookError as error:
        return f"The webhook could not be told of the failure: {error}."
