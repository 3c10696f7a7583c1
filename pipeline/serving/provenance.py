"""Says which run, version and date answers are from, and whom the model lacks."""

import contextlib
import datetime
import difflib
import json
import os
import pathlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord

if TYPE_CHECKING:
    from pipeline.serving.loaded_model import LoadedModel

_NEAR = 3
_LOOKED_THROUGH = 200_000  # Among more users, similar ids are not searched for.


def heading(folder: str) -> str:
    """Returns data set, version, run and time of push of the version in `folder`.

    Example: `ml-100k, version 1732495000 of runs/ncf-ml-100k, pushed 2024-11-25 00:36`.
    """
    serving, number = os.path.split(folder.rstrip("/"))
    record = _record(serving, int(number))
    run = os.path.dirname(serving.rstrip("/"))
    if "://" not in run:
        run = os.path.relpath(run) if _is_below(run) else run
    data = f"{record.dataset}, " if record.dataset else ""
    return f"{data}version {number} of {run}, pushed {_pushed_at(folder, record)}"


def refused_since(folder: str) -> str:
    """Returns a sentence if a newer run of the same folder pushed nothing, else ""."""
    serving, number = os.path.split(folder.rstrip("/"))
    run = pathlib.Path(serving).parent
    report = run / "report" / "summary.json"
    if "://" in serving:
        return ""
    if not report.is_file():
        failed = (run / "report.before").is_dir()
        return (
            "A newer run failed; this is the model of the run before." if failed else ""
        )
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        summary = json.loads(report.read_text(encoding="utf-8"))
        pushed = str(summary.get("pushed_to") or "").rstrip("/")
        if not summary["blessed"] and os.path.basename(pushed) != number:
            reasons = summary.get("not_blessed_because") or ["see its report"]
            return (
                "The newest run was refused, so this is the model of an earlier one: "
                f"{reasons[0]}"
            )
    return ""


def unknown_users(model: "LoadedModel", user_ids: Sequence[str]) -> list[str]:
    """Returns a sentence for each of `user_ids` that the model was not trained with."""
    if not model.user_ids:  # This export does not list users.
        return []
    said = []
    for user_id in user_ids:
        if model.knows_user(user_id):
            continue
        said.append(
            f"User {user_id} is not in the training data; showing the most popular "
            f"items.{_near(user_id, model.user_ids)}"
        )
    return said


def unknown_items(model: "LoadedModel", item_ids: Sequence[str]) -> list[str]:
    """Returns a sentence for each of `item_ids` that the model was not trained with."""
    return [
        f"The model does not know item {item_id}.{_near(item_id, model.item_ids)}"
        for item_id in item_ids
        if not model.knows_item(item_id)
    ]


def _near(wanted: str, known: Sequence[str]) -> str:
    """Returns a sentence with ids much like the one wanted; "" if there are none."""
    if len(known) > _LOOKED_THROUGH:
        return ""
    # An id that differs in case, or in spaces around it, is the one that was meant.
    same = [one for one in known if _folded(one) == _folded(wanted)]
    near = same[:_NEAR] or difflib.get_close_matches(wanted, known, n=_NEAR)
    return f" Near it: {', '.join(near)}." if near else ""


def _folded(name: str) -> str:
    return name.strip().casefold()


def _record(serving: str, number: int) -> VersionRecord:
    for version in versions.look(serving).versions:
        if version.number == number:
            return version.record
    return VersionRecord()


def _pushed_at(folder: str, record: VersionRecord) -> str:
    if record.pushed_at:
        return record.pushed_at
    with contextlib.suppress(OSError):
        seconds = os.stat(folder).st_mtime
        time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return f"{time:%Y-%m-%d %H:%M} UTC"
    return "at an unknown time"


def _is_below(path: str) -> bool:
    return pathlib.Path(path).resolve().is_relative_to(pathlib.Path.cwd())
