"""Makes .venv with the packages of the lock files; leaves a finished .venv alone."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import pathlib
import platform
import shutil
import sys
import time
from typing import Iterator, Mapping, NamedTuple

from scripts.bootstrap import interpreters, lines, toolchain, uv
from scripts.bootstrap.errors import SetupError
from scripts.bootstrap.interpreters import Interpreter
from scripts.bootstrap.lines import Line

_STAMP = "ncf-setup.json"


class Request(NamedTuple):
    """Which environment the user asked for.

    Attributes:
        dev: whether the tools for tests and lint are installed too.
        python: what the user gave as PYTHON=, "" if nothing.
        line: what the user gave as LINE=, "" if nothing.
    """

    dev: bool
    python: str = ""
    line: str = ""


class Stamp(NamedTuple):
    """What .venv was made of, kept in a file in .venv once all is installed.

    Attributes:
        root: the project's folder, which the scripts in .venv/bin name: they break
            when it is moved.
        glibc: the machine's glibc; after a system upgrade another line may fit.
        line: the name of the line.
        python: the path of the interpreter.
        asked: the PYTHON= for which the interpreter was chosen.
        inputs: the hash of each file that decides what is installed. The key "dev" is
            there only if the tools were installed.
    """

    root: str
    glibc: list[int]
    line: str
    python: str
    asked: str
    inputs: dict[str, str]


def ensure(root: pathlib.Path, request: Request, environ: Mapping[str, str]) -> None:
    """Makes or updates `root`/.venv; quick and silent when nothing is to be done.

    Raises:
        SetupError: the machine lacks something, or .venv was made by something else.
    """
    with _alone(root):
        stamp = read_stamp(root)
        if stamp and is_current(root, stamp, request):
            return
        started = time.monotonic()
        line, interpreter = _decide(root, stamp, request, environ)
        has_uv = uv.find(root, environ) is not None
        toolchain.check(interpreter, environ, has_uv=has_uv)
        dev = request.dev or bool(stamp and "dev" in stamp.inputs)
        _say(f"{line.name} line, Python {interpreter}")
        _install(uv.get(root, environ), root, line, interpreter, dev)
        _write_stamp(
            root,
            Stamp(
                root=str(root),
                glibc=list(host_glibc()),
                line=line.name,
                python=interpreter.path,
                asked=request.python,
                inputs=inputs(root, line.name, dev),
            ),
        )
        _say(f"ready in {time.monotonic() - started:.0f} s: .venv")


def is_current(root: pathlib.Path, stamp: Stamp, request: Request) -> bool:
    """Returns whether the stamped environment serves the request as it is.

    An environment that was chosen with PYTHON= or LINE= also serves a request without
    them.
    """
    dev = request.dev or "dev" in stamp.inputs
    return (
        stamp.root == str(root)
        and stamp.glibc == list(host_glibc())
        and request.line in ("", stamp.line)
        and request.python in ("", stamp.asked, stamp.python)
        and stamp.inputs == inputs(root, stamp.line, dev)
        and os.access(root / ".venv" / "bin" / "python", os.X_OK)
    )


def inputs(root: pathlib.Path, line: str, dev: bool) -> dict[str, str]:
    """Returns the hash of each file that decides what is in the environment."""
    requirements = root / "requirements"
    files = {
        "lock": requirements / f"{line}.txt",
        "setup": root / "setup.py",
        "requirements": requirements / "requirements.in",
    }
    if dev:
        files["dev"] = requirements / f"{line}-dev.txt"
    return {
        key: hashlib.sha256(path.read_bytes()).hexdigest()
        for key, path in files.items()
    }


def read_stamp(root: pathlib.Path) -> Stamp | None:
    """Returns the stamp of a complete environment, or None."""
    try:
        return Stamp(**json.loads((root / ".venv" / _STAMP).read_text()))
    except (OSError, ValueError, TypeError):
        return None


def host_glibc() -> tuple[int, int]:
    """Returns the version of this machine's glibc; (0, 0) for another C library."""
    name, version = platform.libc_ver()
    return interpreters.two_numbers(version if name == "glibc" else "")


def _decide(
    root: pathlib.Path,
    stamp: Stamp | None,
    request: Request,
    environ: Mapping[str, str],
) -> tuple[Line, Interpreter]:
    """Returns the line and the interpreter to install for.

    They are the user's choice; without one those of .venv, if they still fit; else the
    best that the machine has.
    """
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise SetupError(
            "TFX's wheels are for Linux on x86_64; this is "
            f"{platform.system()} on {platform.machine()}. Use a container, a virtual "
            "machine or WSL 2."
        )
    only = lines.named(request.line) if request.line else None
    if request.python:
        return lines.choose_for(request.python, only=only, probe=interpreters.probe)
    if stamp and stamp.glibc == list(host_glibc()) and request.line in ("", stamp.line):
        kept, line = interpreters.probe(stamp.python), lines.named(stamp.line)
        if kept and line.fits(kept):
            return line, kept
    return lines.choose(
        interpreters.find(environ),
        host_glibc=host_glibc(),
        only=only,
        ask_uv=lambda line: uv.get(root, environ).python(line),
    )


def _install(
    tool: uv.Uv,
    root: pathlib.Path,
    line: Line,
    interpreter: Interpreter,
    dev: bool,
) -> None:
    """Installs the locked packages and the project.

    The stamp is removed first, so that an interrupted installation does not count.
    """
    venv = root / ".venv"
    lock = str(root / "requirements" / f"{line.name}.txt")
    locks = [lock, *([lock.replace(".txt", "-dev.txt")] if dev else [])]
    _make_venv(tool, venv, interpreter)
    target = ["--python", str(venv / "bin" / "python")]
    _say(f"installing {' and '.join(os.path.relpath(path, root) for path in locks)}")
    # `-b`: packages are built with the locked setuptools, not with its newest release.
    tool.run("pip", "sync", *target, "--require-hashes", "-b", lock, *locks)
    editable = ["--no-deps", "--no-build-isolation", "--quiet", "-e", str(root)]
    tool.run("pip", "install", *target, *editable)


def _make_venv(tool: uv.Uv, venv: pathlib.Path, interpreter: Interpreter) -> None:
    """Makes .venv anew, unless this set-up made it before with the same interpreter."""
    stamp = read_stamp(venv.parent)
    if venv.exists() and not (venv / _STAMP).exists():
        raise SetupError(
            ".venv is there, but this set-up did not make it, so it is not touched. "
            "Move it away, or remove it with `make clean`."
        )
    same = stamp and (stamp.root, stamp.python) == (str(venv.parent), interpreter.path)
    if not same:
        shutil.rmtree(venv, ignore_errors=True)
        tool.run("venv", "--quiet", "--python", interpreter.path, str(venv))
    (venv / _STAMP).write_text("unfinished")


def _write_stamp(root: pathlib.Path, stamp: Stamp) -> None:
    path = root / ".venv" / _STAMP
    unfinished = path.with_suffix(".tmp")
    unfinished.write_text(json.dumps(stamp._asdict(), indent=2))
    os.replace(unfinished, path)


@contextlib.contextmanager
def _alone(root: pathlib.Path) -> Iterator[None]:
    """Lets one set-up at a time work in a folder; a second one waits for the first."""
    descriptor = os.open(root, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _say(message: str) -> None:
    print(f"setup: {message}", flush=True)
