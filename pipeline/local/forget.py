"""Removes old runs from ML Metadata, which otherwise only grows.

The client of ML Metadata can mark artifacts as deleted, but remove nothing. So this
module changes the tables of `metadata.sqlite` while the folder is locked. It removes
executions of old runs whose outputs are all gone, or were all taken from the cache,
then artifacts that are gone and to which nothing refers any more, and the contexts of
both. Results that later runs took from the cache stay, with what made them, however old
they are. A run whose model is still there, as that of a served version, stays whole.
What is left of any other old run stands alone: it is no run any more.
"""

import contextlib
import pathlib
import shutil
import sqlite3
from collections.abc import Collection, Iterable

from pipeline.local import runs, summary_file
from pipeline.local.store import FILE, Execution, Store

# Table -> the column with the ids to remove, in the order of removal.
_OF_EXECUTIONS = {"ExecutionProperty": "execution_id", "Association": "execution_id"}
_OF_ARTIFACTS = {"ArtifactProperty": "artifact_id", "Attribution": "artifact_id"}
_AT_ONCE = 500  # SQLite's limit of variables is higher on all machines.


def executions(
    out: pathlib.Path, *, history: int, removed: Collection[int] = ()
) -> set[int]:
    """Returns the executions that can be forgotten; changes nothing.

    Args:
        out: the folder of the runs.
        history: how many of the latest runs stay whole, 1 or more.
        removed: ids of further artifacts that count as gone.

    Raises:
        ValueError: `history` is below 1, or no run was recorded in `out`.
    """
    if history < 1:
        raise ValueError(f"`--forget` must leave 1 run or more; got {history}.")
    store = Store(out)
    kept = {
        execution.id for run in store.runs[-history:] for execution in run.executions
    }
    in_runs = {execution.id for run in store.runs for execution in run.executions}
    groups = [
        *(run.executions for run in store.runs[:-history]),
        *((one,) for one in store.executions.values() if one.id not in in_runs),
    ]
    found = (_forgettable(store, group, {*removed}) for group in groups)
    return set().union(*found) - kept


def _forgettable(
    store: Store, executions_: Collection[Execution], removed: set[int]
) -> set[int]:
    """Returns the executions of one run that nothing depends on."""
    left = [
        execution
        for execution in executions_
        if any(store.artifacts[id_].live for id_ in {*execution.outputs} - removed)
    ]
    # The execution that made a cached result keeps it, so this run need not.
    if all(execution.state == "CACHED" for execution in left):
        left = []
    outputs = [id_ for execution in left for id_ in execution.outputs]
    if any(artifact.live for artifact in store.of_type(outputs, "Model")):
        return set()
    return {one.id for one in executions_} - {one.id for one in left}


def _remnants(store: Store, ids: set[int], *, history: int) -> list[int]:
    """Returns the contexts of old runs that keep no model once `ids` are removed."""
    return [
        run.id
        for run in store.runs[:-history]
        if not any(
            artifact.live
            for execution in run.executions
            for artifact in store.of_type(execution.outputs, "Model")
            if execution.id not in ids
        )
    ]


def forget(out: pathlib.Path, *, history: int) -> int:
    """Removes the executions that `executions` returns; returns how many.

    The folder must be locked by `lock.alone`.

    Raises:
        ValueError: see `executions`.
        OSError: the disk is full.
    """
    ids = executions(out, history=history)
    store = Store(out)
    remnants = _remnants(store, ids, history=history)
    if not ids and not remnants:
        return 0
    left = {
        id_ for e in store.executions.values() if e.id not in ids for id_ in e.outputs
    }
    gone = {id_ for one in ids for id_ in store.executions[one].outputs} - left
    for artifact in store.of_type(gone, summary_file.REPORT_TYPE):
        shutil.rmtree(runs.local_path(out, artifact.uri), ignore_errors=True)
    with contextlib.closing(sqlite3.connect(out / FILE)) as database:
        try:
            with database:  # One transaction: all changes or none.
                _remove(database, ids, remnants)
        except sqlite3.OperationalError as error:
            raise OSError(f"{out / FILE}: {error}. Nothing was forgotten.") from None
        with contextlib.suppress(sqlite3.OperationalError):
            database.execute("VACUUM")  # SQLite needs as much space again for a while.
    return len(ids)


def _remove(
    database: sqlite3.Connection, ids: Iterable[int], runs_: Iterable[int]
) -> None:
    """Removes executions, and contexts of runs with what leads to them."""
    events = _execute(database, "SELECT id FROM Event WHERE execution_id IN", ids)
    _delete(database, "EventPath", "event_id", events)
    _delete(database, "Event", "id", events)
    for table, column in _OF_EXECUTIONS.items():
        _delete(database, table, column, ids)
    _delete(database, "Execution", "id", ids)
    for table in ("Association", "Attribution"):
        _delete(database, table, "context_id", runs_)
    gone = [
        id_
        for (id_,) in database.execute(
            "SELECT id FROM Artifact WHERE state = 4 AND id NOT IN "
            "(SELECT artifact_id FROM Event)"  # 4: deleted
        )
    ]
    for table, column in _OF_ARTIFACTS.items():
        _delete(database, table, column, gone)
    _delete(database, "Artifact", "id", gone)
    empty = [
        id_
        for (id_,) in database.execute(
            "SELECT Context.id FROM Context JOIN Type ON Type.id = Context.type_id "
            "WHERE Type.name IN ('pipeline_run', 'execution_cache') AND Context.id NOT "
            "IN (SELECT context_id FROM Association)"
        )
    ]
    for table, column in (
        *(("Attribution", "context_id"), ("ContextProperty", "context_id")),
        *(("ParentContext", "context_id"), ("ParentContext", "parent_context_id")),
        ("Context", "id"),
    ):
        _delete(database, table, column, empty)


def _delete(
    database: sqlite3.Connection, table: str, column: str, ids: Iterable[int]
) -> None:
    _execute(database, f"DELETE FROM {table} WHERE {column} IN", ids)


def _execute(database: sqlite3.Connection, query: str, ids: Iterable[int]) -> list[int]:
    """Executes `query` with the list of `ids` behind it; returns what is selected."""
    listed = sorted(ids)
    found: list[int] = []
    for start in range(0, len(listed), _AT_ONCE):
        some = listed[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        found += [id_ for (id_,) in database.execute(f"{query} ({marks})", some)]
    return found
