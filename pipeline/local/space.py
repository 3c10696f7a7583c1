"""Checks the free space on a disk before it is needed, and explains a full disk."""

import contextlib
import errno
import json
import os
import pathlib
import re
import shutil
from collections.abc import Iterable, Mapping
from typing import Any

from components.interactions_example_gen import files

SPARE_BYTES = 32 << 20  # For records, logs and anything unforeseen.
# Messages of SQLite, TensorFlow and Python on a full disk. The second is what remains
# of SQLite's message when ML Metadata commits.
_SAID = re.compile(
    r"database or disk is full|cannot commit - no transaction is active"
    r"|No space left on device|disk I/O error|Disk quota exceeded"
)
_BYTES = re.compile(r"(\d+) bytes")
_NUMBERS = (errno.ENOSPC, errno.EDQUOT)


class NoSpaceError(OSError):
    """The disk is full, or would be."""


def check(folder: str | pathlib.Path, needed: int, *, what: str) -> None:
    """Raises `NoSpaceError` unless the disk has enough free space.

    Args:
        folder: a folder on the disk.
        needed: bytes, to which `SPARE_BYTES` are added.
        what: what needs the space, for the message.
    """
    free = shutil.disk_usage(folder).free
    if free < needed + SPARE_BYTES:
        raise NoSpaceError(message(folder, free, needed + SPARE_BYTES, what=what))


def check_node(
    folder: str | pathlib.Path,
    inputs: Iterable[Any],
    exec_properties: Mapping[str, Any],
    *,
    node: str,
) -> None:
    """Raises `NoSpaceError` unless a node's results may fit onto the disk.

    The results are assumed to be as large as the inputs of the node: artifacts, or the
    files of interactions. The estimate can be wrong, but mostly saves hours of work
    that would fail in the end.

    Args:
        folder: of the artifacts.
        inputs: artifacts, whose sizes `trust.note_files` has noted.
        exec_properties: of the node.
        node: the node's id, for the message.
    """
    read = sum(map(os.path.getsize, interactions(exec_properties)))
    check(folder, noted_bytes(inputs) + read, what=node)


def noted_bytes(artifacts: Iterable[Any]) -> int:
    """Returns the bytes of the files of artifacts, as `trust.note_files` noted them."""
    noted = (
        _BYTES.search(artifact.get_string_custom_property("files"))
        for artifact in artifacts
    )
    return sum(int(found[1]) for found in noted if found)


def interactions(exec_properties: Mapping[str, Any]) -> list[str]:
    """Returns the files on this machine from which a node reads interactions.

    Args:
        exec_properties: of the node. Of InteractionsExampleGen `input_base` is a file
            or folder, and the patterns in `input_config` say which files are read.
    """
    base = exec_properties.get("input_base")
    if not isinstance(base, str) or files.is_remote(base):
        return []
    config = json.loads(exec_properties.get("input_config", "{}"))
    patterns = [split["pattern"] for split in config.get("splits", [])] or ["*"]
    found = []
    for pattern in patterns:
        with contextlib.suppress(ValueError, OSError):  # The node says what is wrong.
            found += files.find(base, pattern)
    return found


def message(folder: object, free: int, needed: int, *, what: str) -> str:
    """Returns the message: how much space there is, and how much is needed."""
    return (
        f"No space left on {folder}: {what} needs about {needed / 1e6:.0f} MB, "
        f"{free / 1e6:.1f} MB are free. Make space (`ncf gc` lists what can go), and "
        "run the same command again."
    )


def explained(error: BaseException, folder: pathlib.Path) -> NoSpaceError | None:
    """Returns an error that names the full disk, if that caused `error`; else None.

    Args:
        error: the error that ended a run, with its causes.
        folder: the folder to which the run wrote.
    """
    if not any(map(_is_of_a_full_disk, _chain(error))):
        return None
    if isinstance(error, NoSpaceError):
        return error
    free = shutil.disk_usage(folder).free
    return NoSpaceError(message(folder, free, SPARE_BYTES, what="a run"))


def _is_of_a_full_disk(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in _NUMBERS:
        return True
    return isinstance(error, NoSpaceError) or bool(_SAID.search(str(error)))


def _chain(error: BaseException) -> Iterable[BaseException]:
    seen: list[BaseException] = []
    left: list[BaseException | None] = [error]
    while left:
        one = left.pop()
        if one is not None and one not in seen:
            seen.append(one)
            left += [one.__cause__, one.__context__]
    return seen
