"""Finds uv on the machine, or installs a private copy into .uv/ if it is too old."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import sys
from typing import Iterable, Mapping

from scripts.bootstrap import interpreters, pip_settings
from scripts.bootstrap.errors import SetupError
from scripts.bootstrap.lines import Line, dotted

OLDEST = (0, 5)
_FOLDER = ".uv"
_LOCK = pathlib.Path("requirements", "uv.txt")

# With these variables uv would work on an environment other than the one it is given.
_MISLEADING = ("CONDA_PREFIX", "UV_PYTHON", "UV_SYSTEM_PYTHON", "VIRTUAL_ENV")


class Uv:
    """A uv that runs. It uses pip's index and ignores an environment that is active."""

    def __init__(self, path: str, environ: Mapping[str, str]) -> None:
        self.path = path
        self._environ = {k: v for k, v in environ.items() if k not in _MISLEADING}
        self._environ.update(pip_settings.for_uv(environ))

    def run(self, *arguments: str, without: Iterable[str] = ()) -> None:
        """Runs `uv ...` and shows what it does, but not its list of every package.

        Args:
            *arguments: the words after `uv`.
            without: beginnings of the names of variables that uv must not see.

        Raises:
            SetupError: uv failed, and has printed why.
        """
        environ = {
            name: value
            for name, value in self._environ.items()
            if not name.startswith(tuple(without))
        }
        command = [self.path, *arguments]
        with subprocess.Popen(
            command,
            env=environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
        ) as process:
            for line in process.stdout or ():
                if not line.startswith((" + ", " - ", " ~ ")):
                    print(line, end="", flush=True)
        if process.returncode:
            raise SetupError(
                f"`uv {' '.join(arguments[:2])}` failed; its message is above. If the "
                "package index was not reached, check the network, the proxy and "
                "PIP_INDEX_URL, then run the same command again."
            )

    def python(self, line: Line) -> interpreters.Interpreter | str:
        """Returns a Python that uv manages for the line, or why there is none.

        uv downloads the Python if that is necessary.
        """
        for version in line.pythons:
            path, _ = self._answer("find", dotted(version))
            if path and (found := interpreters.probe(path)):
                return found
        wanted = dotted(line.pythons[0])
        _say(f"asking uv for Python {wanted}")
        _, complaint = self._answer("install", wanted, downloads=True)
        path, _ = self._answer("find", wanted)
        return (interpreters.probe(path) if path else None) or complaint

    def _answer(
        self, verb: str, version: str, downloads: bool = False
    ) -> tuple[str, str]:
        """Returns the output of `uv python <verb>` and its last line of errors."""
        command = [self.path, "python", verb, version]
        # Only uv's own Pythons are asked for: those on PATH were looked at before, and
        # pyenv's shims confuse uv.
        command += ["--python-preference", "only-managed"]
        command += [] if downloads else ["--no-python-downloads"]
        run = subprocess.run(
            command,
            capture_output=True,
            env=self._environ,
            encoding="utf-8",
            errors="replace",
        )
        lines = run.stderr.strip().splitlines() or ["it gave no reason"]
        return (run.stdout.strip() if run.returncode == 0 else "", lines[-1].strip())


def find(root: pathlib.Path, environ: Mapping[str, str]) -> Uv | None:
    """Returns the uv in `root`/.uv, or the one on PATH if it is not too old."""
    private = root / _FOLDER / "bin" / "uv"
    for path in (str(private), shutil.which("uv", path=environ.get("PATH"))):
        if path and _version(path) >= OLDEST:
            return Uv(path, environ)
    return None


def get(root: pathlib.Path, environ: Mapping[str, str]) -> Uv:
    """Returns the uv that is there, or installs one into `root`/.uv.

    Raises:
        SetupError: no Python here can make an environment, or pip failed.
    """
    there = find(root, environ)
    if there:
        return there
    _say(f"installing uv into {_FOLDER}/")
    python = _make_environment(root / _FOLDER, environ)
    # With `user = true` in pip.conf pip would refuse to install into .uv/; PIP_USER=0
    # overrides that.
    pip = [str(python), "-m", "pip", "install", "--quiet", "--require-hashes"]
    pip += ["--disable-pip-version-check", "-r", str(root / _LOCK)]
    if subprocess.run(pip, env={**environ, "PIP_USER": "0"}).returncode:
        raise SetupError(
            "pip could not install uv; its message is above. Check the network, the "
            "proxy and PIP_INDEX_URL, or install uv yourself so that it is on PATH."
        )
    return Uv(str(root / _FOLDER / "bin" / "uv"), environ)


def _make_environment(folder: pathlib.Path, environ: Mapping[str, str]) -> pathlib.Path:
    """Makes a virtual environment that has pip, and returns the path of its Python."""
    own = getattr(sys, "_base_executable", None) or sys.executable
    for path in (own, *interpreters.candidates(environ)):
        shutil.rmtree(folder, ignore_errors=True)
        run = subprocess.run(
            [path, "-m", "venv", str(folder)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        if run.returncode == 0:
            return folder / "bin" / "python"
    shutil.rmtree(folder, ignore_errors=True)
    raise SetupError(
        "uv is not on PATH, and no Python here can make an environment to install it "
        "in: the module venv or ensurepip is missing.\n"
        "  Debian/Ubuntu: sudo apt-get install python3-venv\n"
        "  Fedora:        sudo dnf install python3\n"
        "Then run the same command again."
    )


def _version(path: str) -> tuple[int, ...]:
    """Returns the version of the uv at `path`; () if it does not run."""
    try:
        answer = subprocess.run(
            [path, "--version"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
    except OSError:
        return ()
    found = re.match(rb"uv (\d+)\.(\d+)\.(\d+)", answer.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _say(message: str) -> None:
    print(f"setup: {message}", flush=True)
