import sys

import pytest

from scripts.bootstrap import interpreters, toolchain
from scripts.bootstrap.errors import SetupError


@pytest.fixture
def complete(tmp_path):
    """An interpreter with headers, venv, and a compiler that accepts everything."""
    (tmp_path / "Python.h").touch()
    python = interpreters.probe(sys.executable)
    return python._replace(include=str(tmp_path), cxx="true", makes_venvs=True)


def _message(python, *, environ=None, has_uv=True):
    with pytest.raises(SetupError) as caught:
        toolchain.check(python, environ or {}, has_uv=has_uv)
    return str(caught.value)


def test_silent_when_all_is_there(complete):
    toolchain.check(complete, {}, has_uv=False)


def test_missing_compiler(complete):
    message = _message(complete._replace(cxx="no-such-c++"))
    assert "`no-such-c++` is not on PATH" in message
    # No package of headers: distributions have them only for their own Python.
    assert "sudo apt-get install g++\n" in message
    assert "sudo dnf install gcc-c++\n" in message


def test_compiler_without_a_back_end(complete):
    # What gcc says where g++ is not installed.
    gcc = "sh -c 'echo cannot execute cc1plus; exit 1'"
    message = _message(complete._replace(cxx=gcc))
    assert "a C++ compiler (`sh`: cannot execute cc1plus)" in message


def test_missing_header(complete, tmp_path):
    message = _message(
        complete._replace(include=str(tmp_path / "no"), version=(3, 13, 5))
    )
    assert "sudo apt-get install python3.13-dev\n" in message
    assert "sudo dnf install python3.13-devel\n" in message


def test_all_missing_is_one_message(complete):
    python = complete._replace(
        include="/nowhere", cxx="no-such-c++", makes_venvs=False, version=(3, 12, 3)
    )
    message = _message(python, has_uv=False)
    assert "apt-get install g++ python3.12-dev python3.12-venv\n" in message


def test_venv_is_not_needed_where_uv_is(complete):
    toolchain.check(complete._replace(makes_venvs=False), {}, has_uv=True)


def test_cxx_of_the_environment_wins(complete):
    toolchain.check(complete._replace(cxx="no-such-c++"), {"CXX": "true"}, has_uv=True)
