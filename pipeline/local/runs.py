"""Lists the runs that ML Metadata has recorded, with their results."""

import dataclasses
import datetime
import json
import os
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

from components.report.document import Summary
from ncf_model.serving import versions
from pipeline.local import lock, summary_file, trust
from pipeline.local.store import FILE, RecordedRun, Store
from pipeline.nodes import ids

_OK = ("COMPLETE", "CACHED")
_ROOT = "pipeline_root"


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunRow:
    """A run in one line.

    Attributes:
        out: the folder of the run.
        number: the run's number in the folder, from 1.
        started: when the run started, UTC, ISO 8601.
        state: `done`, `tuned` after `ncf tune`, or how the run ended and at which node:
            `failed`, `stopped` with Ctrl-C, or `died` if its process was killed.
        dataset: the name of the data; "" if the run ended before its report.
        changes: the fields of the configuration that differ from their defaults.
        hit_rate: the model's HR@10; None if it was not measured.
        blessed: whether the model was blessed; None if the run ended before.
        pushed: the version as which the model was pushed; None if it was not pushed.
        served: whether that version's model is served now, also after a rollback.
    """

    out: str
    number: int
    started: str
    state: str
    dataset: str = ""
    changes: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    hit_rate: float | None = None
    blessed: bool | None = None
    pushed: int | None = None
    served: bool = False


def folders(out: pathlib.Path | None) -> list[pathlib.Path]:
    """Returns `out`, or every folder under `runs/` with metadata, the latest last.

    Raises:
        ValueError: there is no such folder.
    """
    if out is not None:
        return [out]
    found = sorted(
        pathlib.Path("runs").glob(f"*/{FILE}"), key=lambda file: file.stat().st_mtime
    )
    if not found:
        raise ValueError(
            f"No runs/*/{FILE}. Run `ncf run` first, or name a run's folder with --out."
        )
    return [file.parent for file in found]


def rows(out: pathlib.Path) -> list[RunRow]:
    """Returns the runs in a folder, the oldest first."""
    store = Store(out)
    served = _served(out / "serving")
    found = [_row(out, store, run, served) for run in store.runs]
    since = lock.held_since(out)
    # A process that starts up holds the lock before its run is recorded.
    if found and since is not None and store.runs[-1].started >= since:
        found[-1] = dataclasses.replace(found[-1], state=_at_work(found[-1].state))
    return found


def summary_of(out: pathlib.Path, store: Store, run: RecordedRun) -> Summary | None:
    """Returns the summary of a run; None if there is none, or it was removed."""
    outputs = [id_ for execution in run.executions for id_ in execution.outputs]
    for artifact in store.of_type(outputs, summary_file.REPORT_TYPE):
        folder = local_path(out, artifact.uri)
        if (folder / summary_file.NAME).exists():
            return summary_file.read(folder)
    return None


def local_path(out: pathlib.Path, uri: str) -> pathlib.Path:
    """Returns the path of an artifact, also if the run's folder was moved."""
    path = pathlib.Path(uri)
    if path.exists() or _ROOT not in path.parts:
        return path
    parts = path.parts
    return out.joinpath(*parts[parts.index(_ROOT) :])


def _served(serving: pathlib.Path) -> int | None:
    """Returns the version whose model is served, that before any rollback to it."""
    newest = versions.newest(serving)
    if newest is None:
        return None
    number, noted = newest.number, versions.records(serving)
    while number in noted and (restored := noted[number].restores) is not None:
        number = restored
    return number


def _row(
    out: pathlib.Path, store: Store, run: RecordedRun, served: int | None
) -> RunRow:
    outputs = [id_ for execution in run.executions for id_ in execution.outputs]
    blessings = store.of_type(outputs, "ModelBlessing")
    pushed = next(_pushed(store, outputs), None)
    summary = summary_of(out, store, run)
    return RunRow(
        out=str(out),
        number=run.number,
        started=_utc(run.started),
        state=state(run),
        dataset=summary.dataset if summary else "",
        changes=_changes(run, summary),
        hit_rate=summary.metrics.get("hit_rate@10") if summary else None,
        blessed=bool(blessings[-1].properties.get("blessed")) if blessings else None,
        pushed=pushed,
        served=pushed is not None and pushed == served,
    )


def _pushed(store: Store, outputs: list[int]) -> Iterator[int]:
    """Yields the version that a run pushed, if it pushed one."""
    for artifact in store.of_type(outputs, "PushedModel"):
        name = os.path.basename(artifact.properties.get("pushed_destination") or "")
        if artifact.properties.get("pushed") and name.isdigit():
            yield int(name)


def state(run: RecordedRun) -> str:
    """Returns in a few words how a run ended, such as `failed at Trainer`."""
    if not run.executions:
        return "nothing ran"
    last = run.executions[-1]
    if last.state not in _OK:
        died = last.properties.get(trust.DIED_PROPERTY)
        verb = {"CANCELED": "stopped", "FAILED": "died" if died else "failed"}
        return f"{verb.get(last.state, 'died')} at {last.node}"
    if last.node == ids.TUNER:
        return "tuned"
    return "done" if last.node == ids.REPORT else f"stopped after {last.node}"


def _at_work(state: str) -> str:
    """Returns the state of a run on which a process may still be working."""
    verb, _, where = state.partition(" ")
    return f"running, {where}" if verb in ("died", "stopped") else state


def _changes(run: RecordedRun, summary: Summary | None) -> dict[str, Any]:
    """Returns the fields of a run's configuration that differ from their defaults."""
    execution = run.execution(ids.REPORT)
    text = execution.properties.get("config") if execution else None
    if text:
        settings = json.loads(text)
        return {
            name: setting["value"]
            for name, setting in settings.items()
            if setting["value"] != setting["default"]
        }
    config = summary.config if summary else {}
    return {name: setting.value for name, setting in config.items() if setting.changed}


def _utc(seconds: float) -> str:
    time = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    return f"{time:%Y-%m-%dT%H:%M:%SZ}"
