"""Checks that the machine can compile packages, before any package is installed."""

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


def check(
    interpreter: Interpreter, environ: Mapping[str, str], *, has_uv: bool
) -> None:
    """Compiles one line of C++, as setuptools would, and looks for what else is needed.

    TFX depends on pyfarmhash, which has no wheels: a compiler and Python.h build it.

    Args:
        interpreter: the interpreter for which packages will be installed.
        environ: the environment, in which CXX may name a compiler, as for setuptools.
        has_uv: whether uv is there already. If not, the modules venv and ensurepip are
            needed to install uv.

    Raises:
        SetupError: something is missing. The message names all that is missing, with
            the commands that install it.
    """
    compiler = shlex.split(environ.get("CXX") or interpreter.cxx)
    python = f"python{dotted(interpreter.version[:2])}"
    missing, apt, dnf = [], "", ""
    if complaint := _complaint(compiler):
        missing.append(f"a C++ compiler ({complaint})")
        apt, dnf = " g++", " gcc-c++"
    if not interpreter.has_headers:
        missing.append(f"the header Python.h (not in {interpreter.include})")
        # The package of headers is named only if they are missing, because no
        # distribution has the headers of pyenv's Pythons.
        apt, dnf = f"{apt} {python}-dev", f"{dnf} {python}-devel"
    if not has_uv and not interpreter.makes_venvs:
        missing.append("the modules venv and ensurepip (to install uv)")
        apt, dnf = f"{apt} {python}-venv", f"{dnf} {python}"
    if missing:
        raise SetupError(
            f"For Python {interpreter} this machine lacks:\n"
            + "".join(f"  - {what}\n" for what in missing)
            + "They are needed to install TFX, which has a part that is compiled.\n"
            f"  Debian/Ubuntu: sudo apt-get install{apt}\n"
            f"  Fedora:        sudo dnf install{dnf}\n"
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
