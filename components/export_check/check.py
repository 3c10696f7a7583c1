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
# The process that waits for a question, if there is one.
_ready: list[subprocess.Popen[str]] = []


def get_ready() -> None:
    """Starts the process that the next `ask` needs, and does not wait for it.

    Meanwhile the process imports TensorFlow. It ends with this process, if not before.
    """
    if not _ready:
        _ready.append(_start())


def forget() -> None:
    """Ends the process that `get_ready` has started, if nobody has asked it."""
    while _ready:
        with _ready.pop() as process:
            process.kill()


def _take() -> subprocess.Popen[str]:
    """Returns a process to ask: the one that is ready, if it is still alive."""
    if _ready and _ready[0].poll() is None:
        return _ready.pop()
    forget()
    return _start()


def _start() -> subprocess.Popen[str]:
    return subprocess.Popen(
        # A relative one would be in the temporary folder, where everybody may write.
        [sys.executable, "-I", alone.__file__, *filter(os.path.isabs, sys.path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tempfile.gettempdir(),
        # The CPU answers, because this process may still hold the trainer's GPU.
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    )


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
        question = json.dumps([folder, str(probe)]) + "\n"
        with _take() as process:
            try:
                answers, errors = process.communicate(question, timeout=TIMEOUT_S)
            except BaseException:
                process.kill()
                raise
    if process.returncode:
        reason = _reason(errors) or f"exit status {process.returncode}"
        raise ValueError(
            f"The exported model cannot be asked by TensorFlow alone: {reason}. "
            "It was not pushed."
        )
    answer: dict[str, Any] = json.loads(answers.strip().splitlines()[-1])
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
