#!/bin/sh
# Starts scripts/bootstrap with any Python from 3.8 on; scripts/bootstrap then looks for
# the Python that the project needs. Usage: bootstrap.sh runtime|dev|lock
set -eu
cd "$(dirname "$0")/.."
# Variables that a user set for other programs must not change which modules Python finds.
unset PYTHONHOME PYTHONPATH PYTHONSAFEPATH

can_start() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 8))' >/dev/null 2>&1
}

for python in .venv/bin/python "${PYTHON:-}" python3 \
    python3.13 python3.12 python3.11 python3.10 python \
    "${PYENV_ROOT:-${HOME:-}/.pyenv}"/versions/3.*/bin/python3 \
    "$(uv python find --python-preference only-managed 2>/dev/null || :)"; do
    if [ -n "$python" ] && can_start "$python"; then
        exec "$python" -S -m scripts.bootstrap "$@"
    fi
done

cat >&2 <<'END'
setup: there is no Python 3 on PATH or under pyenv, and the set-up is written in Python.
  Debian/Ubuntu: sudo apt-get install python3 python3-venv python3-dev g++
  Fedora:        sudo dnf install python3 python3-devel gcc-c++
Then run the same command again.
END
exit 1
