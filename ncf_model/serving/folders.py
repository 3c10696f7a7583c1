"""Files of a serving folder: on this machine, or in an object store such as gs://.

A local path needs nothing but Python. A URI needs TensorFlow, which is imported only
then, because the import takes seconds and most folders are local.
"""

import hashlib
import os
import pathlib
import shutil
from collections.abc import Mapping
from typing import Any

# The folder of the SavedModel in an artifact `Model`. TFX fixes this name, which is
# repeated here because importing TFX to ask for it takes many seconds.
SERVING_MODEL = "Format-Serving"
_PIECE = 1 << 22
_SPARE_BYTES = 1 << 20


def is_remote(path: str) -> bool:
    """Returns whether `path` is a URI such as gs://bucket/folder."""
    return "://" in path


def children(folder: str) -> list[str]:
    """Returns the names in a folder, sorted; [] if there is no such folder."""
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

    The objects with which object stores mark empty folders do not count.
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
        folder: the folder that holds the files.
        files: the result of `sizes(folder)`; None computes that.
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
    """Opens a file on this machine or in a bucket."""
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
    """Writes a file that is whole or absent at any moment, even after a power cut."""
    make(os.path.dirname(path))
    if is_remote(path):  # An object appears only when it is whole.
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
    """Copies a file into an existing folder, and syncs the copy to the disk."""
    if is_remote(source) or is_remote(target):
        _gfile().copy(source, target, overwrite=True)
        return
    shutil.copyfile(source, target)
    with open(target, "rb") as f:
        os.fsync(f.fileno())


def make(folder: str) -> None:
    """Makes a local folder and its parents, if need be; a bucket has no folders."""
    if not is_remote(folder):
        os.makedirs(folder, exist_ok=True)


def remove(path: str) -> None:
    """Removes a file, or a folder with everything in it; nothing if it is absent."""
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
    """Syncs the names in a local folder to the disk."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def free_bytes(folder: str) -> int | None:
    """Returns the free bytes on the disk of a local folder; None for a bucket."""
    return None if is_remote(folder) else shutil.disk_usage(folder).free


def check_space(folder: str, needed: int) -> None:
    """Raises ValueError if a local disk has no space for so many bytes of a model."""
    free = free_bytes(folder)
    if free is not None and free < needed + _SPARE_BYTES:
        raise ValueError(
            f"No space left on {folder}: {(needed + _SPARE_BYTES) / 1e6:.1f} MB are "
            f"needed for the model, {free / 1e6:.1f} MB are free. Make space and run "
            "the same command again."
        )


def _size(path: str) -> int:
    return int(_gfile().stat(path).length) if is_remote(path) else os.path.getsize(path)


def _gfile() -> Any:
    import tensorflow as tf

    return tf.io.gfile
