"""Tells a webhook how a run has ended: `python -m pipeline.cluster.notify`.

The message is JSON with a sentence in `text`, which is all that Slack, Mattermost and
Google Chat ask for, and the parts of that sentence beside it. This module needs Python
alone, so it works even where TensorFlow or TFX cannot be imported.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from pipeline import webhook
from pipeline.cluster import exit_task

URL_VARIABLE = "NCF_WEBHOOK"
# The state is still "running" if the run was ended from outside.
_GOOD = ("SUCCEEDED", "COMPLETE", "CACHED", "SKIPPED")


def main(argv: Sequence[str]) -> int:
    """Sends the message, if `--when` asks for one; returns the exit status."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--status", required=True)
    parser.add_argument("--pipeline", required=True)
    # Packages compiled before the option was renamed pass `--on`.
    parser.add_argument(
        "--when", "--on", choices=("failure", "always"), default="failure"
    )
    flags = parser.parse_args(argv)
    state, run = exit_task.status(flags.status)
    good = state.upper() in _GOOD
    if good and flags.when == "failure":
        print("The run has succeeded; nothing is sent.")
        return 0
    body = message(flags.pipeline, run, state, good=good)
    try:
        webhook.post(os.environ[URL_VARIABLE], body)
    except webhook.WebhookError as error:
        print(f"The webhook was not told ({error}).", file=sys.stderr)
        return 1
    print(body["text"])
    return 0


def message(pipeline: str, run: str, state: str, *, good: bool) -> dict[str, str]:
    """Returns the message.

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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
