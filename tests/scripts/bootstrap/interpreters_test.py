import sys

import pytest

from scripts.bootstrap import interpreters


def _program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_probe_names_the_interpreter_behind_a_virtual_environment():
    found = interpreters.probe(sys.executable)
    assert found.version == sys.version_info[:3]
    assert interpreters.probe(found.path) == found


def test_probe_refuses_what_only_has_the_name(tmp_path):
    # So does pyenv's shim for a version that is not selected.
    shim = _program(tmp_path / "python3.10", "echo 'command not found' >&2; exit 127")
    assert interpreters.probe(shim) is None
    assert interpreters.probe(str(tmp_path / "absent")) is None


@pytest.mark.parametrize(("usable", "is_found"), [("true", True), ("false", False)])
def test_probe_refuses_what_wheels_are_not_built_for(tmp_path, usable, is_found):
    answer = (
        '{"path": "/p", "version": [3, 13, 0], "glibc": "2.41", "include": "/i", '
        f'"cxx": "c++", "makes_venvs": true, "usable": {usable}}}'
    )
    fake = _program(tmp_path / "python3", f"echo '{answer}'")
    found = interpreters.probe(fake)
    assert bool(found) == is_found
    if found:
        assert (found.version, found.glibc) == ((3, 13, 0), (2, 41))


def test_candidates_are_path_then_pyenv_newest_first(tmp_path):
    expected = [
        _program(tmp_path / "b" / "python3.13", ""),
        _program(tmp_path / "a" / "python3.10", ""),
        _program(tmp_path / "a" / "python3", ""),
        _program(tmp_path / "pyenv/versions/3.10.13/bin/python", ""),
        _program(tmp_path / "pyenv/versions/3.10.9/bin/python", ""),
    ]
    _program(tmp_path / "pyenv/versions/2.7.18/bin/python", "")
    (tmp_path / "a" / "python3.12").touch()  # not executable
    environ = {
        "PATH": f"{tmp_path / 'a'}::{tmp_path / 'b'}",
        "PYENV_ROOT": str(tmp_path / "pyenv"),
    }
    assert list(interpreters.candidates(environ)) == expected


def test_candidates_look_in_the_home_folder_for_pyenv(tmp_path):
    python = _program(tmp_path / ".pyenv/versions/3.10.13/bin/python", "")
    assert list(interpreters.candidates({"HOME": str(tmp_path)})) == [python]


@pytest.mark.parametrize(
    ("text", "numbers"), [("2.39", (2, 39)), ("2.17.1", (2, 17)), ("", (0, 0))]
)
def test_two_numbers(text, numbers):
    assert interpreters.two_numbers(text) == numbers
