"""Renews the lock files: names, versions and hashes, and no address of any index."""

from __future__ import annotations

import os
import pathlib
import sys

from scripts.bootstrap.uv import Uv

# A line can be locked on a machine on which that line does not run, so the target is
# given to uv. The current line's three Pythons differ in a few packages; its lock file
# is universal, with markers.
_TARGETS = {
    "older": ("--python-version", "3.10", "--python-platform", "x86_64-manylinux2014"),
    "current": ("--universal", "--python-version", "3.11"),
    "uv": ("--universal", "--python-version", "3.8"),
}
_HASHED = ("--generate-hashes", "--no-emit-index-url", "--no-emit-find-links")
_HEADER = ("--custom-compile-command", "make lock")
# These settings of the user's uv must not change the lock files that all users get. The
# index may be another one, a mirror.
_NOT_SEEN = (
    "UV_CONSTRAINT",
    "UV_EXCLUDE",
    "UV_EXTRA",
    "UV_FIND",
    "UV_INDEX_STRATEGY",
    "UV_NO_BINARY",
    "UV_OVERRIDE",
    "UV_PRERELEASE",
    "UV_RESOLUTION",
)


def renew(tool: Uv, root: pathlib.Path, *, upgrade: bool) -> None:
    """Writes requirements/*.txt.

    Args:
        tool: the uv that resolves the requirements.
        root: the project's folder.
        upgrade: whether the newest releases are taken. Otherwise the locked releases
            that still satisfy the *.in files are kept, so that one new requirement
            changes little else.

    Raises:
        SetupError: the requirements cannot be met, or the index was not reached.
    """
    folder = root / "requirements"
    for line in ("older", "current"):
        _lock(tool, folder, "requirements.in", line, line, upgrade=upgrade)
        # The runtime's lock file constrains that of the tools, so that both have the
        # same release of a package.
        runtime = ("--constraint", f"{line}.txt")
        _lock(tool, folder, "dev.in", f"{line}-dev", line, *runtime, upgrade=upgrade)
    _lock(tool, folder, "uv.in", "uv", "uv", upgrade=upgrade)
    _lock(tool, folder, "peers.in", "peers", "older", upgrade=upgrade)


def _lock(
    tool: Uv,
    folder: pathlib.Path,
    source: str,
    name: str,
    target: str,
    *extra: str,
    upgrade: bool,
) -> None:
    print(f"lock: requirements/{name}.txt", flush=True)
    own = getattr(sys, "_base_executable", None) or sys.executable
    # uv writes the names of the files into its comments, so they are relative ones.
    os.chdir(folder)
    tool.run(
        *("pip", "compile", "--quiet", "--python", own),
        *_HASHED,
        *_HEADER,
        *_TARGETS[target],
        *extra,
        *(["--upgrade"] if upgrade else []),
        *("--output-file", f"{name}.txt", source),
        without=_NOT_SEEN,
    )
