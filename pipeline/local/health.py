"""Checks whether a run can continue with ML Metadata and artifacts of a folder.

The check is made before a run, with the folder locked. Without it TFX would fail in the
middle, with an unclear message, or write into the folder of an artifact that it does
not know.
"""

import contextlib
import datetime
import os
import pathlib
import sqlite3

from pipeline.local.store import FILE

ROOT = "pipeline_root"
_OURS = (FILE, f"{FILE}-journal", f"{FILE}-wal", f"{FILE}-shm", ROOT, "report")
_TABLES = {"MLMDEnv", "Artifact", "Execution", "Event", "Context"}


class Damaged(ValueError):
    """No run can continue with the records of the folder; says what to do."""


def check(out: pathlib.Path) -> None:
    """Raises `Damaged` unless the records are whole and know all artifacts.

    Args:
        out: the folder of the runs. Nothing in it is changed, except that SQLite
            recovers from a process that was killed in a transaction.
    """
    file = out / FILE
    if not _holds_anything(file):
        if any(_numbers(out)):
            what = "is empty" if file.exists() else "is not there"
            raise _damaged(out, f"{file} {what}, but {out / ROOT} has artifacts of it")
        return
    try:
        with contextlib.closing(_open(file)) as database:
            last = _last_execution(database, file)
    except sqlite3.Error as error:
        raise _damaged(out, f"{file} is damaged: {error}") from None
    except ValueError as error:
        raise _damaged(out, str(error)) from None
    if (unknown := max(_numbers(out), default=0)) > last:
        raise _damaged(
            out,
            f"{out / ROOT} has an artifact of execution {unknown}, but {file} knows "
            f"only {last} executions: they do not belong together",
        )


def set_aside(out: pathlib.Path) -> pathlib.Path | None:
    """Moves records, artifacts and report into a new folder, and returns that.

    The result is None if there was nothing to move. The serving folder, checkpoints and
    logs stay. Nothing is removed.

    Raises:
        OSError: a file or folder cannot be moved.
    """
    there = [out / name for name in _OURS if os.path.lexists(out / name)]
    if not there:
        return None
    name = f"before-{datetime.datetime.now():%Y%m%d-%H%M%S}"
    target = out / name
    number = 1
    while target.exists():
        number += 1
        target = out / f"{name}-{number}"
    target.mkdir()
    # The records come first: without them no run continues, even after a kill here.
    for path in there:
        path.rename(target / path.name)
    return target


def _holds_anything(file: pathlib.Path) -> bool:
    return file.exists() and (not file.is_file() or file.stat().st_size > 0)


def _open(file: pathlib.Path) -> sqlite3.Connection:
    # Not read-only, so that a transaction of a killed process is rolled back.
    return sqlite3.connect(f"{file.absolute().as_uri()}?mode=rw", uri=True)


def _last_execution(database: sqlite3.Connection, file: pathlib.Path) -> int:
    """Returns the highest id of an execution.

    Raises:
        ValueError: the database is of another program, or damaged.
        sqlite3.Error: the file is no database.
    """
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
    found = {name for (name,) in tables}
    if missing := sorted(_TABLES - found):
        raise ValueError(
            f"{file} must be ML Metadata's; it has no table {', '.join(missing)}"
        )
    said = [line for (line,) in database.execute("PRAGMA quick_check(1)")]
    if said != ["ok"]:
        first = said[0].removeprefix("*** in database main ***").strip()
        raise ValueError(f"{file} is damaged: {first}")
    (last,) = database.execute("SELECT COALESCE(MAX(id), 0) FROM Execution").fetchone()
    return int(last)


def _numbers(out: pathlib.Path) -> list[int]:
    """Returns the executions with artifacts: ID of `pipeline_root/NODE/KEY/ID`."""
    found = (path.name for path in (out / ROOT).glob("*/*/*"))
    return [int(name) for name in found if name.isascii() and name.isdigit()]


def _damaged(out: pathlib.Path, what: str) -> Damaged:
    return Damaged(
        f"{what}. Nothing was changed. `ncf run --fresh-metadata`, with the same "
        f"options, moves records, artifacts and report of {out} aside into a folder "
        "`before-...` in it and starts anew; what is served stays. Or put the file "
        "back from a backup that is as old as the artifacts."
    )
