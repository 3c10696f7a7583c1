"""Runs a command of `ncf` again where it fails, and tells somebody if it still does."""

import collections
import datetime
import json
import shlex
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Sequence
from typing import Any

STOPPED = 130
_LINES = 40  # of the output, told to the webhook
_TIMEOUT_S = 30


def run(
    arguments: Sequence[str],
    *,
    times: int,
    after_s: float,
    webhook: str | None = None,
    program: Sequence[str] = (sys.executable, "-m", "pipeline.cli"),
    sleep: Callable[[float], None] = time.sleep,
    say: Callable[[str], None] = print,
) -> int:
    """Returns the exit status of the last attempt; 0 as soon as one succeeds.

    A refusal is tried again, too: data that are late may be there by then. What was
    stopped by hand is not.

    Args:
        arguments: of `ncf`.
        times: how often a failure is tried again, 0 or more.
        after_s: seconds before that.
        webhook: URL to which a failure is POSTed as JSON, after the last attempt.
        program: what takes the arguments.
        sleep: waits.
        say: is told each line of the output.
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
        if status in (0, STOPPED):
            return status
    if webhook:
        told = _failure(arguments, status=status, attempts=attempts, lines=last)
        say(post(webhook, told))
    return status


def _attempt(
    command: Sequence[str], last: "collections.deque[str]", say: Callable[[str], None]
) -> int:
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout is not None  # noqa: S101  # It was asked for.
    try:
        for line in process.stdout:
            last.append(line.rstrip("\n"))
            say(last[-1])
        return process.wait()
    except KeyboardInterrupt:  # The run has got it, too, and says how to go on.
        process.wait()
        return STOPPED


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


def post(url: str, told: dict[str, Any]) -> str:
    """Sends JSON; returns what came of it, in words, and never raises for it.

    `text` is what chat services show.
    """
    request = urllib.request.Request(  # The user's own URL, checked.
        url,
        data=json.dumps(told).encode(),
        headers={"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S) as answer:
            # Not the path: who knows it can write there.
            host = urllib.parse.urlsplit(url).hostname
            return f"Told the webhook at {host}: HTTP {answer.status}."
    except (urllib.error.URLError, OSError, ValueError) as error:
        return f"The webhook could not be told of the failure: {error}."


def check_webhook(url: str | None) -> None:
    """Raises ValueError unless it is a URL that can be POSTed to."""
    if url is None:
        return
    if not url.startswith(("https://", "http://")):
        # Not shown, here or below: the address is a secret.
        raise ValueError("`--webhook` must be a URL that begins with https://.")
    if " " in url or not url.isprintable():
        raise ValueError("`--webhook` must hold no blank and no control character.")
