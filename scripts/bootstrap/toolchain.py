"""Checks, before anything is installed, that pyfarmhash can be compiled."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from typing import Mapping

from scripts.bootstrap.errors import SetupError
from scripts.bootstrap.interpreters import Interpreter
from scripts.bootstrap.lines import dotted

_TIMEOUT_S = 120


def check(interpreter: Interpreter, environ: Mapping[str, str]) -> None:
    """Compiles one line of C++, as setuptools would, and looks for Python.h.

    Raises:
        SetupError: one of them is missing. One message for both, with the commands.
    """
    compiler = shlex.split(environ.get("CXX") or interpreter.cxx)
    missing = []
    if complaint := _complaint(compiler):
        missing.append(f"a C++ compiler ({complaint})")
    if not interpreter.has_headers:
        missing.append(f"the header Python.h (not in {interpreter.include})")
    if missing:
        python = f"python{dotted(interpreter.version[:2])}"
        raise SetupError(
            "TFX needs pyfarmhash, which is compiled while it is installed. "
            f"For {interpreter} this machine lacks {' and '.join(missing)}.\n"
            f"  Debian/Ubuntu: sudo apt-get install g++ {python}-dev\n"
            f"  Fedora:        sudo dnf install gcc-c++ {python}-devel\n"
            "Then run the same command again."
        )


def _complaint(compiler: list[str]) -> str:
    """Returns why the compiler does not work, or "" if it does."""
    if not shutil.which(compiler[0]):
        return f"`{compiler[0]}` is not on PATH"
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "probe.cc")
        with open(source, "w", encoding="utf-8") as f:
            f.write("#include <string>\nstd::string probe;\n")
        command = [*compiler, "-shared", "-fPIC", source, "-o", f"{source}.so"]
        try:
            run = subprocess.run(
                command,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_TIMEOUT_S,
            )
        except (OSError, subprocess.SubprocessError) as error:
            return f"`{compiler[0]}`: {error}"
    if run.returncode == 0:
        return ""
    lines = run.stdout.decode(errors="replace").strip().splitlines() or ["it failed"]
    return f"`{compiler[0]}`: {lines[-1]}"
