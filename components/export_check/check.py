"""Checks that an exported model answers as it was trained; free of TFX."""

import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from typing import Any

from components.export_check import alone

TIMEOUT_S = 600
_ERROR = re.compile(r"[\w.]+(Error|Exception): ")
# Lines of TensorFlow's messages that do not say what is wrong.
_BESIDE = re.compile(r"\s|$|Detected at node|<stack")


def ask(folder: str, expected: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the answers of the SavedModel in `folder`, asked by another process.

    The process is isolated: it does not run in a folder of this project, and cannot
    import this project or TFX. It finds TensorFlow wherever this process does, also if
    that is a PYTHONPATH or the user's own packages, which `-I` leaves out.

    Args:
        folder: of the SavedModel, on this machine.
        expected: the result of `ncf_model.serving.probe.make`.

    Raises:
        ValueError: the process failed; the message has the error with which it ended.
    """
    with tempfile.TemporaryDirectory() as temporary:
        probe = pathlib.Path(temporary, "probe.json")
        probe.write_text(json.dumps(expected), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, "-I", alone.__file__, folder, str(probe), *sys.path],
            capture_output=True,
            text=True,
            check=False,
            cwd=temporary,
            # The CPU answers, because this process may still hold the trainer's GPU.
            env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
            timeout=TIMEOUT_S,
        )
    if done.returncode:
        reason = _reason(done.stderr) or f"exit status {done.returncode}"
        raise ValueError(
            f"The exported model cannot be asked by TensorFlow alone: {reason}. "
            "It was not pushed."
        )
    answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    return answer


def _reason(errors: str) -> str:
    """Returns the last error in a process's output, without advice."""
    lines = errors.strip().splitlines()
    starts = [number for number, line in enumerate(lines) if _ERROR.match(line)]
    if not starts:
        return lines[-1] if lines else ""
    return " ".join(line for line in lines[starts[-1] :] if not _BESIDE.match(line))


def require(answer: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Checks an answer.

    Raises:
        ValueError: a score is not what the trainer computed, or a list is malformed.
    """
    problems = [*_scores(answer["scores"], expected), *_lists(answer["lists"])]
    if problems:
        raise ValueError(
            f"The exported model is broken: {'; '.join(problems)}. It was not pushed."
        )


def _scores(scores: list[float], expected: Mapping[str, Any]) -> list[str]:
    rows = [
        *zip(
            expected["user_ids"],
            expected["item_ids"],
            expected["scores"],
            scores,
            strict=True,
        )
    ]
    wrong = [row for row in rows if not abs(row[2] - row[3]) <= expected["tolerance"]]
    if not wrong:
        return []
    user, item, trained, exported = wrong[0]
    return [
        f"{len(wrong)} of {len(rows)} scores are others than in training, such as that "
        f"of user {user!r} and item {item!r}: {exported:.4g}, trained {trained:.4g}"
    ]


def _lists(lists: Mapping[str, Any]) -> list[str]:
    problems = []
    if lists["no user"]["item_ids"]:
        problems.append("no user gets a list")
    for who in ("known user", "unknown user", "empty user"):
        ids, scores = (lists[who][name][0] for name in ("item_ids", "scores"))
        items = [item for item in ids if item]
        if len(ids) != 10:
            problems.append(f"the {who}'s list has {len(ids)} places instead of 10")
        if not items and who != "known user":  # A known user may have every item.
            problems.append(f"the {who} gets nothing")
        if len(set(items)) != len(items):
            problems.append(f"the {who} gets an item twice")
        real = scores[: len(items)]
        if not all(math.isfinite(score) for score in real):
            problems.append(f"the {who}'s scores are not all numbers")
        elif real != sorted(real, reverse=True):
            problems.append(f"the {who}'s list is not in order")
    return problems
