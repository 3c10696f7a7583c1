"""Files of a serving folder: on this machine, or in an object store such as gs://.

A local path needs nothing but Python. A URI goes through TensorFlow, imported late: it
takes seconds, and most readers look at a local folder.
"""

import hashlib
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

_PIECE = 1 << 22


def is_remote(path: str) -> bool:
    """Returns whether `path` is a URI such as gs://bucket/folder."""
    return "://" in path


def children(folder: str) -> list[str]:
    """Returns the names of all that is in a folder, sorted; none if there is none."""
    if is_remote(folder):
        gfile = _gfile()
        if not gfile.isdir(folder):
            return []
        # Object stores end the names of folders in "/".
        return sorted({name.rstrip("/") for name in gfile.listdir(folder)} - {""})
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def is_folder(path: str) -> bool:
    """Returns whether `path` is a folder."""
    return _gfile().isdir(path) if is_remote(path) else os.path.isdir(path)


def sizes(folder: str) -> dict[str, int]:
    """Returns the bytes of each file below a folder, by its path with `/`; sorted.

    An object store's own markers of empty folders are no files.
    """
    found = {}
    walk = _gfile().walk(folder) if is_remote(folder) else os.walk(folder)
    for where, _, names in walk:
        for name in filter(None, names):
            path = os.path.join(where, name)
            relative = path[len(folder.rstrip("/")) + 1 :].replace(os.sep, "/")
            found[relative] = _size(path)
    return dict(sorted(found.items()))


def digest(folder: str, files: Mapping[str, int] | None = None) -> str:
    """Returns a digest of names and contents of all files below a folder.

    Args:
        folder: the one that holds the files.
        files: of `sizes`, if that is known.
    """
    total = hashlib.sha256()
    for name in sizes(folder) if files is None else files:
        one = hashlib.sha256()
        with open_file(os.path.join(folder, name), "rb") as f:
            while piece := f.read(_PIECE):
                one.update(piece)
        total.update(name.encode() + b"\0" + one.digest())
    return total.hexdigest()[:32]


def open_file(path: str, mode: str) -> Any:
    """Opens a file, here or in a bucket."""
    return _gfile().GFile(path, mode) if is_remote(path) else open(path, mode)


def read(path: str) -> bytes | None:
    """Returns the content of a file; None if there is none."""
    if is_remote(path) and not _gfile().exists(path):
        return None
    try:
        with open_file(path, "rb") as f:
            return bytes(f.read())
    except (FileNotFoundError, NotADirectoryError):
        return None


def write(path: str, content: bytes) -> None:
    """Writes a file that is there whole or not at all, and stays after a power cut."""
    make(os.path.dirname(path))
    if is_remote(path):  # An object appears when it is whole.
        with open_file(path, "wb") as f:
            f.write(content)
        return
    partial = f"{path}.partial"
    with open(partial, "wb") as f:
        f.write(content)
        f.flush()
        os.fsync(f.fileno())
    os.replace(partial, path)
    sync_folder(os.path.dirname(path))


def copy(source: str, target: str) -> None:
    """Copies a file into a folder that is there, down to the disk."""
    if is_remote(source) or is_remote(target):
        _gfile().copy(source, target, overwrite=True)
        return
    shutil.copyfile(source, target)
    with open(target, "rb") as f:
        os.fsync(f.fileno())


def make(folder: str) -> None:
    """Makes a local folder and those above it, if need be; a bucket has no folders."""
    if not is_remote(folder):
        os.makedirs(folder, exist_ok=True)


def remove(path: str) -> None:
    """Removes a file, or a folder with all that is in it, if it is there."""
    if is_remote(path):
        gfile = _gfile()
        if gfile.isdir(path):
            gfile.rmtree(path)
        elif gfile.exists(path):
            gfile.remove(path)
    elif os.path.isdir(path) and not os.path.islink(path):
        shutil.rmtree(path)
    else:
        pathlib.Path(path).unlink(missing_ok=True)


def sync_folder(folder: str) -> None:
    """Brings the names in a local folder down to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: str) -> int | None:
    """Returns how much fits onto the disk of a local folder; None for a bucket."""
    return None if is_remote(folder) else shutil.disk_usage(folder).free


def _size(path: str) -> int:
    return int(_gfile().stat(path).length) if is_remote(path) else os.path.getsize(path)


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile
