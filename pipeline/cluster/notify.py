"""Tells a webhook how a run has ended: `python -m pipeline.cluster.notify`.

The body is JSON with a sentence in `text`, which is all that Slack, Mattermost and
Google Chat ask for, and the parts of that sentence beside it. It needs Python alone, so
that it works where the rest of the image does not.
"""

import argparse
import http.client
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence

from pipeline.cluster import exit_task

URL_VARIABLE = "NCF_WEBHOOK"
# A part that is still "running" when all has ended was ended from outside.
_GOOD = ("SUCCEEDED", "COMPLETE", "CACHED", "SKIPPED")
_TIMEOUT_S = 30


def main(argv: Sequence[str]) -> int:
    """Sends the message, if there is one to send; returns the exit status."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--status", required=True)
    parser.add_argument("--pipeline", required=True)
    parser.add_argument("--on", choices=("failure", "always"), default="failure")
    flags = parser.parse_args(argv)
    state, run = exit_task.status(flags.status)
    good = state.upper() in _GOOD
    if good and flags.on == "failure":
        print("The run has succeeded; nothing is sent.")
        return 0
    body = message(flags.pipeline, run, state, good=good)
    try:
        _post(os.environ[URL_VARIABLE], body)
    except (
        urllib.error.URLError,
        http.client.HTTPException,
        OSError,
        ValueError,
    ) as error:
        reason = str(error).replace(os.environ[URL_VARIABLE], "URL")
        print(f"The webhook was not told ({reason}).", file=sys.stderr)
        return 1
    print(body["text"])
    return 0


def message(pipeline: str, run: str, state: str, *, good: bool) -> dict[str, str]:
    """Returns what is sent.

    Example:
        >>> message("ncf", "ncf-1", "FAILED", good=False)["text"]
        'Pipeline ncf, run ncf-1: FAILED'
    """
    of_run = f", run {run}" if run else ""
    return {
        "text": f"Pipeline {pipeline}{of_run}: {'succeeded' if good else state}",
        "pipeline": pipeline,
        "run": run,
        "state": state,
    }


def _post(url: str, body: dict[str, str]) -> None:
    url = url.strip()
    if not url.startswith(("http://", "https://")) or not url.isprintable():
        raise ValueError("it must be http:// or https://, without control characters")
    if " " in url:  # Its message would show the address, which is a secret.
        raise ValueError("it must hold no blank")
    request = urllib.request.Request(
        url,
        json.dumps(body).encode(),
        {"content-type": "application/json; charset=UTF-8"},
    )
    with urllib.request.urlopen(request, timeout=_TIMEOUT_S):
        pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
