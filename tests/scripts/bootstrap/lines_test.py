import pytest

from scripts.bootstrap import lines
from scripts.bootstrap.errors import SetupError
from scripts.bootstrap.interpreters import Interpreter

DEBIAN_12 = (2, 36)
DEBIAN_13 = (2, 41)


def _python(version, *, glibc=DEBIAN_12, include="/nowhere", path="/usr/bin/python"):
    return Interpreter(
        path=path,
        version=version,
        glibc=glibc,
        include=str(include),
        cxx="g++",
        makes_venvs=True,
    )


def _nothing_from_uv(line):
    return f"no {line.name}"


def _choose(found, *, host_glibc=DEBIAN_12, only=None, ask_uv=_nothing_from_uv):
    return lines.choose(found, host_glibc=host_glibc, only=only, ask_uv=ask_uv)


@pytest.mark.parametrize(
    ("version", "glibc", "name"),
    [
        ((3, 13, 5), (2, 39), "current"),
        ((3, 11, 0), (2, 39), "current"),
        ((3, 10, 13), (2, 39), "older"),
        ((3, 10, 13), (2, 38), "older"),
        ((3, 10, 0), (2, 17), "older"),
    ],
)
def test_line_by_python_and_glibc(version, glibc, name):
    python = _python(version, glibc=glibc)
    line, chosen = _choose([python], host_glibc=glibc)
    assert (line.name, chosen) == (name, python)


@pytest.mark.parametrize(
    ("version", "glibc"),
    [
        ((3, 13, 5), (2, 38)),
        ((3, 14, 0), (2, 41)),
        ((3, 9, 18), (2, 41)),
        ((3, 10, 13), (2, 16)),
        ((3, 10, 13), (0, 0)),
    ],
)
def test_no_line_just_outside_the_limits(version, glibc):
    with pytest.raises(SetupError, match=r"needed:\n  current line: Python 3\.11"):
        _choose([_python(version, glibc=glibc)], host_glibc=glibc)


def test_current_line_goes_before_the_older():
    found = [
        _python((3, 10, 13), glibc=DEBIAN_13),
        _python((3, 12, 1), glibc=DEBIAN_13),
    ]
    assert _choose(found, host_glibc=DEBIAN_13) == (lines.CURRENT, found[1])


def test_first_found_wins():
    found = [_python((3, 10, 1), path="/a"), _python((3, 10, 13), path="/b")]
    assert _choose(found)[1].path == "/a"


def test_one_with_headers_goes_before_one_without(tmp_path):
    (tmp_path / "Python.h").touch()
    found = [_python((3, 10, 1)), _python((3, 10, 13), include=tmp_path)]
    assert _choose(found)[1] == found[1]


def test_only_restricts_the_choice():
    found = [
        _python((3, 13, 5), glibc=DEBIAN_13),
        _python((3, 10, 13), glibc=DEBIAN_13),
    ]
    chosen = _choose(found, host_glibc=DEBIAN_13, only=lines.OLDER)
    assert chosen == (lines.OLDER, found[1])


def test_uv_is_asked_only_for_what_can_run_here():
    asked = []

    def ask_uv(line):
        asked.append(line.name)
        return _python((3, 10, 20), path="/uv/python")

    line, chosen = _choose([_python((3, 11, 7))], ask_uv=ask_uv)
    assert asked == ["older"]
    assert (line, chosen.path) == (lines.OLDER, "/uv/python")


def test_older_line_when_uv_has_no_python_for_the_current():
    python = _python((3, 10, 13), glibc=DEBIAN_13)
    assert _choose([python], host_glibc=DEBIAN_13) == (lines.OLDER, python)


def test_message_says_what_was_found_and_what_mends_it():
    with pytest.raises(SetupError) as caught:
        _choose([_python((3, 11, 7), path="/usr/bin/python3.11")])
    message = str(caught.value)
    assert "This machine has glibc 2.36" in message
    assert "Found on PATH and under pyenv: 3.11.7 (/usr/bin/python3.11)." in message
    assert "uv has no Python 3.10: no older" in message
    assert "sudo apt-get install python3.10 " in message
    assert "sudo dnf install python3.10 " in message


def test_line_that_cannot_run_here():
    with pytest.raises(SetupError, match=r"(?s)LINE=current .* 2\.36; .* glibc 2\.39"):
        _choose([_python((3, 13, 0))], only=lines.CURRENT)


def test_musl_is_named():
    with pytest.raises(SetupError, match="a C library other than glibc"):
        _choose([_python((3, 12, 1), glibc=(0, 0))], host_glibc=(0, 0))


def test_named_interpreter():
    python = _python((3, 10, 13))
    chosen = lines.choose_for("python3.10", probe=lambda asked: python)
    assert chosen == (lines.OLDER, python)


def test_named_interpreter_that_fits_no_line():
    with pytest.raises(SetupError, match=r"PYTHON=python3 is Python 3\.11\.7 with gl"):
        lines.choose_for("python3", probe=lambda asked: _python((3, 11, 7)))


def test_named_interpreter_that_is_of_another_line():
    python = _python((3, 10, 13), glibc=DEBIAN_13)
    with pytest.raises(SetupError, match="does not fit:\n  current line"):
        lines.choose_for("python3.10", only=lines.CURRENT, probe=lambda asked: python)


def test_named_interpreter_that_does_not_run():
    with pytest.raises(SetupError, match="PYTHON=nonsense must be a CPython"):
        lines.choose_for("nonsense", probe=lambda asked: None)


def test_unknown_line():
    with pytest.raises(SetupError, match="it must be LINE=current or LINE=older"):
        lines.named("newest")
