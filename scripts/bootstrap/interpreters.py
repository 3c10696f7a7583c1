"""Finds the machine's Python interpreters, their versions and what each of them has."""

from __future__ import annotations

import glob
import json
import os
import re
import subprocess
from typing import Iterable, Iterator, Mapping, NamedTuple

NAMES = ("python3.13", "python3.12", "python3.11", "python3.10", "python3", "python")

# In a virtual environment, _base_executable is the interpreter that the environment was
# made from: an active .venv must not be rebuilt from itself.
_PROBE = """
import importlib.util, json, os, platform, sys, sysconfig
print(json.dumps({
    "path": os.path.realpath(getattr(sys, "_base_executable", None) or sys.executable),
    "version": list(sys.version_info[:3]),
    "glibc": platform.libc_ver()[1] if platform.libc_ver()[0] == "glibc" else "",
    "include": sysconfig.get_paths()["include"],
    "cxx": sysconfig.get_config_var("CXX") or "c++",
    "makes_venvs": all(map(importlib.util.find_spec, ("venv", "ensurepip"))),
    "usable": platform.python_implementation() == "CPython"
        and not sysconfig.get_config_var("Py_GIL_DISABLED"),
}))
"""
_PROBE_TIMEOUT_S = 30


class Interpreter(NamedTuple):
    """What one interpreter reports of itself.

    Attributes:
        path: the path of the interpreter itself, never that of the link in a virtual
            environment or of pyenv's shim.
        version: (major, minor, micro).
        glibc: (major, minor) of its C library; (0, 0) if that is not glibc.
        include: the folder that should hold Python.h.
        cxx: the command with which extensions in C++ are compiled.
        makes_venvs: whether the interpreter has the modules venv and ensurepip, which
            Debian puts into a package of their own.
    """

    path: str
    version: tuple[int, int, int]
    glibc: tuple[int, int]
    include: str
    cxx: str
    makes_venvs: bool

    @property
    def has_headers(self) -> bool:
        return os.path.isfile(os.path.join(self.include, "Python.h"))

    def __str__(self) -> str:
        return f"{'.'.join(map(str, self.version))} ({self.path})"


def probe(command: str) -> Interpreter | None:
    """Returns the interpreter that `command` starts; None if no CPython starts.

    A name alone proves nothing: pyenv puts a `python3.10` on PATH that only prints an
    error when that version is not the selected one.
    """
    try:
        # -S: the program needs no installed packages, and they may be broken.
        answer = subprocess.run(
            [command, "-S", "-c", _PROBE],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL,
            timeout=_PROBE_TIMEOUT_S,
            check=True,
        ).stdout
        facts = json.loads(answer)
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
    if not facts.pop("usable"):
        return None
    facts["version"] = tuple(facts["version"])
    facts["glibc"] = two_numbers(facts["glibc"])
    return Interpreter(**facts)


def candidates(environ: Mapping[str, str]) -> Iterator[str]:
    """Yields paths of possible interpreters: PATH's, then pyenv's, the newest first."""
    folders = [f for f in environ.get("PATH", "").split(os.pathsep) if f]
    for name in NAMES:
        for folder in folders:
            path = os.path.join(folder, name)
            if os.access(path, os.X_OK):
                yield path
    root = environ.get("PYENV_ROOT") or os.path.join(environ.get("HOME", ""), ".pyenv")
    pattern = os.path.join(glob.escape(root), "versions", "3.*", "bin", "python")
    yield from sorted(glob.glob(pattern), key=_numbers, reverse=True)


def find(environ: Mapping[str, str]) -> list[Interpreter]:
    """Returns the interpreters on PATH and then those of pyenv, each once."""
    return _distinct(probe(path) for path in candidates(environ))


def _distinct(found: Iterable[Interpreter | None]) -> list[Interpreter]:
    by_file: dict[str, Interpreter] = {}
    for interpreter in found:
        if interpreter:
            by_file.setdefault(interpreter.path, interpreter)
    return list(by_file.values())


def _numbers(path: str) -> list[int]:
    version = path.split(os.sep)[-3]
    return [int(digits) for digits in re.findall(r"\d+", version)]


def two_numbers(version: str) -> tuple[int, int]:
    """Returns the first two numbers of a version: (2, 39) of "2.39" and of "2.39.1".

    A number that is missing is returned as 0.
    """
    digits = [*re.findall(r"\d+", version), "0", "0"]
    return int(digits[0]), int(digits[1])
