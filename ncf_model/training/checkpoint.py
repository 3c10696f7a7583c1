"""The file from which a killed training continues."""

import functools
import hashlib
import io
import json
import os
import pathlib
import tempfile
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

_INFO = "info"
FORGOTTEN_S = 14 * 86_400  # An epoch does not take so long.

Arrays = dict[str, list[np.ndarray]]


class Checkpoint:
    """Holds a training's state after its last finished epoch.

    The file is replaced as a whole, so that it is always one epoch's. It is named after
    what decides the training's result: another configuration or other data never go
    on from it.
    """

    def __init__(self, folder: str, identity: str, *, writes: bool = True) -> None:
        """Names the file; nothing is read or made yet.

        Args:
            folder: local, or of an object store that `tf.io.gfile` knows. All the
                machines of a training must see the same one.
            identity: as from `identity`.
            writes: false for all but one of several machines.
        """
        self.path = os.path.join(folder, f"{identity}.npz")
        self._writes = writes

    def save(self, info: Mapping[str, Any], arrays: Arrays) -> None:
        """Replaces the file.

        Args:
            info: what JSON can hold.
            arrays: lists of arrays, by name.
        """
        if not self._writes:
            return
        if "://" not in self.path:  # A bucket has no folders, and asking needs rights.
            tf.io.gfile.makedirs(os.path.dirname(self.path))
        partial = f"{self.path}.partial"
        with tempfile.TemporaryFile() as local:
            flat = {
                f"{name}/{i:06d}": array
                for name, group in arrays.items()
                for i, array in enumerate(group)
            }
            np.savez(local, **{_INFO: np.array(json.dumps(info))}, **flat)
            local.seek(0)
            with tf.io.gfile.GFile(partial, "wb") as f:
                while block := local.read(1 << 24):
                    f.write(block)
        tf.io.gfile.rename(partial, self.path, overwrite=True)

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """Returns what was saved; None if there is nothing, or nothing whole.

        A damaged file is no reason not to train: it is named in the log, and the next
        epoch replaces it. Each array in it has a checksum, so that what is returned is
        what was saved.
        """
        if not tf.io.gfile.exists(self.path):
            return None
        with tf.io.gfile.GFile(self.path, "rb") as f:
            content = io.BytesIO(f.read())
        try:
            with np.load(content, allow_pickle=False) as file:
                info = json.loads(str(file[_INFO]))
                arrays: Arrays = {}
                for name in sorted(set(file.files) - {_INFO}):
                    arrays.setdefault(name.split("/")[0], []).append(file[name])
        except Exception as error:  # What damaged bytes lead to is without end.
            logging.warning(
                "The checkpoint %s is damaged (%r): training from the start.",
                *(self.path, error),
            )
            return None
        return info, arrays

    def remove(self) -> None:
        """Removes the file, if there is one, and those that nobody came back to."""
        if not self._writes:
            return
        if tf.io.gfile.exists(self.path):
            tf.io.gfile.remove(self.path)
        self._remove_forgotten()

    def _remove_forgotten(self) -> None:
        """Removes what killed trainings left that never ran again."""
        folder = os.path.dirname(self.path)
        if not tf.io.gfile.isdir(folder):
            return
        before = (time.time() - FORGOTTEN_S) * 1e9
        for name in tf.io.gfile.listdir(folder):
            path = os.path.join(folder, name)
            ours = name.endswith((".npz", ".npz.partial"))
            if ours and tf.io.gfile.stat(path).mtime_nsec < before:
                logging.info("Removing the forgotten checkpoint %s", path)
                tf.io.gfile.remove(path)


@functools.cache
def code_digest() -> str:
    """Returns a digest of this package's source, and of what computes for it.

    Of all of its files: a checkpoint lives for a few hours, so that one too many is
    thrown away does little harm, and one too few would.
    """
    digest = hashlib.blake2b()
    package = pathlib.Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}".encode() + path.read_bytes())
    for module in (tf, np):
        digest.update(f"{module.__name__} {module.__version__}".encode())
    return digest.hexdigest()


def identity(settings: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> str:
    """Returns a short name for `settings` (what JSON can hold) and the data."""
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:24]
