"""Makes `build/peers`, the environment of the libraries that we compare with.

The libraries, called peers, are in the lock file `requirements/peers.txt`.

Usage: python -m benchmarks.peers. Nothing happens if the environment is there and the
lock file has not changed since.
"""

import hashlib
import os
import pathlib
import shutil
import sys

from scripts.bootstrap import interpreters, uv
from scripts.bootstrap.errors import SetupError

ROOT = pathlib.Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "peers"
LOCK = ROOT / "requirements" / "peers.txt"
_PYTHON = (3, 10)
_STAMP = "lock.sha256"


def ensure() -> pathlib.Path:
    """Makes the environment if necessary; returns the path of its Python.

    Raises:
        SetupError: there is no Python 3.10, or the packages could not be installed.
    """
    python = FOLDER / "bin" / "python"
    digest = hashlib.sha256(LOCK.read_bytes()).hexdigest()
    stamp = FOLDER / _STAMP
    if stamp.exists() and stamp.read_text() == digest and os.access(python, os.X_OK):
        return python
    environ = dict(os.environ)
    tool = uv.get(ROOT, environ)
    shutil.rmtree(FOLDER, ignore_errors=True)
    tool.run("venv", "--quiet", "--python", _interpreter(environ), str(FOLDER))
    print(f"bench: installing {LOCK.relative_to(ROOT)}, about 5 GB", flush=True)
    target = ["--python", str(python), "--require-hashes"]
    tool.run("pip", "sync", *target, str(LOCK))
    stamp.write_text(digest)
    return python


def _interpreter(environ: dict[str, str]) -> str:
    for path in interpreters.candidates(environ):
        found = interpreters.probe(path)
        if found and tuple(found.version[:2]) == _PYTHON:
            return found.path
    raise SetupError(
        "RecBole needs Python 3.10, and this machine has none. `make bench` without "
        "FULL=1 does not need RecBole."
    )


def main() -> int:
    """Makes the environment of the peers; returns the exit status."""
    try:
        ensure()
    except SetupError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
