"""The file from which a killed training continues."""

import contextlib
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
FORGOTTEN_S = 14 * 86_400  # Much longer than an epoch takes.

Arrays = dict[str, list[np.ndarray]]


class Checkpoint:
    """Holds a training's state after its last finished epoch.

    The file is replaced as a whole, so it always holds the state of one epoch. Its name
    depends on everything that decides the training's result, so a training with another
    configuration or other data never continues from it.
    """

    def __init__(self, folder: str, identity: str, *, writes: bool = True) -> None:
        """Names the file; nothing is read or made yet.

        Args:
            folder: a local folder, or one of an object store that `tf.io.gfile` knows.
                All machines of a training must see the same folder.
            identity: as the function `identity` returns it.
            writes: False on all machines but one.
        """
        self.path = os.path.join(folder, f"{identity}.npz")
        self._writes = writes

    def save(self, info: Mapping[str, Any], arrays: Arrays) -> None:
        """Replaces the file.

        Args:
            info: numbers and names that JSON can hold.
            arrays: lists of arrays, by name.
        """
        if not self._writes:
            return
        if "://" not in self.path:  # A bucket has no folders.
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
        # The same training that runs twice at once may have renamed it already.
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.rename(partial, self.path, overwrite=True)

    def load(self) -> tuple[dict[str, Any], Arrays] | None:
        """Returns what was saved; None if the file is absent or damaged.

        A damaged file does not stop the training: the log names it, and the next epoch
        replaces it. Each array in the file has a checksum, so damage is noticed.
        """
        try:
            with tf.io.gfile.GFile(self.path, "rb") as f:
                content = io.BytesIO(f.read())
        except tf.errors.NotFoundError:
            return None
        try:
            with np.load(content, allow_pickle=False) as file:
                info = json.loads(str(file[_INFO]))
                arrays: Arrays = {}
                for name in sorted(set(file.files) - {_INFO}):
                    arrays.setdefault(name.split("/")[0], []).append(file[name])
        except Exception as error:  # Damaged bytes can raise anything.
            logging.warning(
                "The checkpoint %s is damaged (%r): training from the start.",
                *(self.path, error),
            )
            return None
        return info, arrays

    def remove(self) -> None:
        """Removes the file, if it exists, and old files of trainings never resumed."""
        if not self._writes:
            return
        with contextlib.suppress(tf.errors.NotFoundError):
            tf.io.gfile.remove(self.path)
        self._remove_forgotten()

    def _remove_forgotten(self) -> None:
        """Removes the files of killed trainings that never ran again."""
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
    """Returns a digest of this package's source and of the libraries that compute.

    All files of the package count. So a change without effect on the training throws a
    checkpoint away, which costs at most a few hours; a change with an effect never
    leaves an old checkpoint in use.
    """
    digest = hashlib.blake2b()
    package = pathlib.Path(__file__).parents[1]
    for path in sorted(package.rglob("*.py")):
        digest.update(f"{path.relative_to(package)}".encode() + path.read_bytes())
    for module in (tf, np):
        digest.update(f"{module.__name__} {module.__version__}".encode())
    return digest.hexdigest()


def identity(settings: Mapping[str, Any], arrays: Sequence[np.ndarray]) -> str:
    """Returns a short name that depends on `settings` and `arrays`.

    Args:
        settings: what JSON can hold.
        arrays: the data.
    """
    digest = hashlib.blake2b(json.dumps(settings, sort_keys=True).encode())
    for array in arrays:
        digest.update(f"{array.dtype}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()[:24]
