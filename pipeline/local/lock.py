"""Locks the folder of a run, so that one process at a time works there."""

import contextlib
import datetime
import errno
import fcntl
import json
import os
import pathlib
import socket
from collections.abc import Iterator
from typing import Any

FILE = "run.lock"
# Errors of a file system without locks, such as some mounted buckets.
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS)


class Busy(ValueError):
    """Another process is working in the folder."""


@contextlib.contextmanager
def alone(out: pathlib.Path, *, doing: str) -> Iterator[None]:
    """Locks a folder until the block or the process ends.

    The kernel holds the lock and releases it when the process ends in whatever way, so
    no lock is ever left behind. The content of the file only serves the message.

    Args:
        out: the folder, made if need be.
        doing: what this process does there, for the message to another process.

    Raises:
        Busy: another process has locked the folder; the message says which process and
            since when.
    """
    out.mkdir(parents=True, exist_ok=True)
    with open(out / FILE, "a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy(_message(out, _read(file))) from None
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                raise
        file.seek(0)
        file.truncate()
        with contextlib.suppress(OSError):  # A full disk; `ncf gc` helps.
            os.write(file.fileno(), json.dumps(_me(doing)).encode())
        try:
            yield
        finally:
            file.seek(0)
            file.truncate()


def held_since(out: pathlib.Path) -> float | None:
    """Returns when a process locked a folder, seconds since 1970; None if none did."""
    with contextlib.suppress(OSError), open(out / FILE, encoding="utf-8") as file:
        if _read(file):  # Without content no process has written its name.
            try:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except BlockingIOError:
                return os.fstat(file.fileno()).st_mtime
    return None


def _me(doing: str) -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "start": f"{datetime.datetime.now(datetime.timezone.utc):%F %T} UTC",
        "doing": doing,
    }


def _read(file: Any) -> dict[str, Any]:
    file.seek(0)
    with contextlib.suppress(ValueError):
        content = json.loads(file.read())
        if isinstance(content, dict):
            return content
    return {}


def _message(out: pathlib.Path, holder: dict[str, Any]) -> str:
    said = {name: holder.get(name, "unknown") for name in _me("")}
    return (
        f"Another process is at work in {out}: process {said['pid']} on host "
        f"{said['host']}, {said['doing']}, since {said['start']}. Wait until it has "
        "ended, or take another folder with --out. Nothing was changed."
    )
