"""Keeps what files of code say from one process to the next, by their content.

To parse all files of the project takes a second, in every run. What is kept is a pure
function of a file's content, so that it is never out of date; a file of the cache that
is damaged, or cannot be written, costs that second.
"""

import contextlib
import hashlib
import json
import os
import pathlib
import sys
from collections.abc import Callable

import platformdirs

_SEPARATOR = "\n"
_MOST = 4096  # Entries; a project has a few hundred files.


def path() -> pathlib.Path:
    """Returns the file of the cache, in the user's cache folder."""
    folder = platformdirs.user_cache_path("ncf", appauthor=False)
    return folder / f"code-{sys.version_info.major}.{sys.version_info.minor}.json"


class Cache:
    """Results of one function, by the content to which it was applied.

    Attributes:
        compute: returns a JSON value for a content.
        rule: names the function; results of another rule are not taken over.
    """

    def __init__(self, compute: Callable[[bytes], list[str]], rule: str):
        self.compute = compute
        self.rule = rule
        self._known: dict[str, list[str]] | None = None
        self._new = False

    def __call__(self, content: bytes) -> list[str]:
        """Returns `compute(content)`, which is computed if it is not known."""
        if self._known is None:
            self._known = self._load()
        key = hashlib.sha256(content).hexdigest()
        if key not in self._known:
            self._known[key] = self.compute(content)
            self._new = True
        return self._known[key]

    def save(self) -> None:
        """Writes what was computed; does nothing where that is not possible."""
        if not self._new or self._known is None:
            return
        text = json.dumps(dict(list(self._known.items())[-_MOST:]))
        file = path()
        partial = file.with_suffix(f".{os.getpid()}.partial")
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            partial.write_text(self._sum(text) + _SEPARATOR + text)
            partial.replace(file)
        self._new = False

    def _load(self) -> dict[str, list[str]]:
        with contextlib.suppress(OSError, ValueError):
            total, _, text = path().read_text().partition(_SEPARATOR)
            if total == self._sum(text):
                return dict(json.loads(text))
        return {}

    def _sum(self, text: str) -> str:
        return hashlib.sha256(f"{self.rule}\0{text}".encode()).hexdigest()
