"""Numba's cache of compiled functions, with a check that its files are undamaged.

Numba runs whatever machine code a cache file holds: with zeroed or flipped bytes, as a
power cut leaves them, the process ends in a segmentation fault. Here each file begins
with a digest of its content. A file whose digest does not fit counts as absent: the
function is compiled anew and the file replaced.

This relies on the private class `IndexDataCacheFile` of Numba 0.68. With a Numba that
has no such class, Numba's own cache is used, and a test fails.
"""

import functools
import hashlib
import pathlib
import pickle
import typing
from collections.abc import Callable
from typing import Any

import numba
from numba.core import caching

# For `fastmath`: sums may be reordered so as to use the processor's widest registers.
FREE_ORDER = {"reassoc", "contract", "nsz"}
_BYTES = 32
_Function = typing.TypeVar("_Function", bound=Callable)


def compiled(**options: Any) -> Callable[[_Function], _Function]:
    """Compiles a function at its first call, and keeps the result on disk if it can.

    Where no folder is writable, the disk is full, or the files are damaged, the
    function is compiled for this process alone.

    Args:
        options: of `numba.njit`.
    """

    def decorate(function: _Function) -> _Function:
        alone = numba.njit(nogil=True, **options)(function)
        try:
            kept = numba.njit(cache=True, nogil=True, **options)(function)
        except RuntimeError:  # "No locator available": nowhere to keep it.
            return typing.cast(_Function, alone)
        protect(kept)

        @functools.wraps(function)
        def call(*args: Any) -> Any:
            try:
                return kept(*args)
            except OSError:
                return alone(*args)

        return typing.cast(_Function, call)

    return decorate


def protect(dispatcher: Any) -> None:
    """Puts digests into the cache of a function compiled with `cache=True`."""
    cache = getattr(dispatcher, "_cache", None)
    file = getattr(cache, "_cache_file", None)
    if isinstance(file, caching.IndexDataCacheFile):
        file.__class__ = _CheckedFile


class _CheckedFile(caching.IndexDataCacheFile):
    """Index and data files of one function, each with a digest of its content."""

    def _load_index(self) -> dict[Any, str]:
        content = _checked(self._index_path)
        if content is None:
            return {}
        version, stamp, overloads = pickle.loads(content)  # ours: see the digest
        fresh = (version, stamp) == (self._version, self._source_stamp)
        return overloads if fresh else {}

    def _save_index(self, overloads: dict[Any, str]) -> None:
        index = (self._version, self._source_stamp, overloads)
        self._write(self._index_path, self._dump(index))

    def _load_data(self, name: str) -> Any:
        content = _checked(self._data_path(name))
        if content is None:
            raise OSError(f"The cache file {name} is damaged.")  # Numba: not there
        return pickle.loads(content)  # ours: see the digest

    def _save_data(self, name: str, data: Any) -> None:
        self._write(self._data_path(name), self._dump(data))

    def _write(self, path: str, content: bytes) -> None:
        with self._open_for_write(path) as f:
            f.write(hashlib.sha256(content).digest() + content)


def _checked(path: str) -> bytes | None:
    """Returns the content of a file if its digest fits, else None."""
    try:
        stored = pathlib.Path(path).read_bytes()
    except FileNotFoundError:
        return None
    digest, content = stored[:_BYTES], stored[_BYTES:]
    return content if hashlib.sha256(content).digest() == digest else None
