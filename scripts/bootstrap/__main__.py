"""`python -m scripts.bootstrap runtime|dev|lock`, started by bootstrap.sh."""

from __future__ import annotations

import os
import pathlib
import sys

from scripts.bootstrap import environment, locks, uv
from scripts.bootstrap.errors import SetupError

ROOT = pathlib.Path(__file__).resolve().parents[2]


def main(command: str) -> int:
    """Runs one command; returns the exit status."""
    environ = dict(os.environ)
    try:
        if command == "lock":
            upgrade = bool(environ.get("UPGRADE"))
            locks.renew(uv.get(ROOT, environ), ROOT, upgrade=upgrade)
        elif command in ("runtime", "dev"):
            request = environment.Request(
                dev=command == "dev",
                python=environ.get("PYTHON", ""),
                line=environ.get("LINE", ""),
            )
            environment.ensure(ROOT, request, environ)
        else:
            raise SetupError(f"{command!r} must be runtime, dev or lock.")
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
