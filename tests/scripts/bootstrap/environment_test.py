import pathlib
import sys

import pytest

from scripts.bootstrap import environment, interpreters, lines
from scripts.bootstrap.environment import Request, Stamp
from scripts.bootstrap.errors import SetupError

PYTHON = interpreters.Interpreter(
    path="/usr/bin/python3.10",
    version=(3, 10, 13),
    glibc=(2, 36),
    include="/usr/include/python3.10",
    cxx="g++",
    makes_venvs=True,
)
INSTALL = [("pip", "sync"), ("pip", "install")]


class FakeUv:
    """Makes the folder that `uv venv` makes, and notes the commands."""

    def __init__(self):
        self.commands = []

    def run(self, *arguments):
        self.commands.append(arguments[:2])
        if arguments[0] == "venv":
            _make_venv(arguments[-1])


def _make_venv(path):
    binaries = pathlib.Path(path) / "bin"
    binaries.mkdir(parents=True)
    (binaries / "python").symlink_to(sys.executable)


@pytest.fixture
def root(tmp_path):
    (tmp_path / "requirements").mkdir()
    names = ("older.txt", "older-dev.txt", "current.txt", "requirements.in")
    for name in names:
        (tmp_path / "requirements" / name).write_text(name)
    (tmp_path / "setup.py").write_text("setup")
    return tmp_path


@pytest.fixture
def machine(monkeypatch):
    """A Debian 12 with one Python 3.10 and a fake uv, which is returned."""
    uv = FakeUv()
    monkeypatch.setattr(environment, "host_glibc", lambda: (2, 36))
    monkeypatch.setattr(environment.uv, "find", lambda root, environ: uv)
    monkeypatch.setattr(environment.uv, "get", lambda root, environ: uv)
    monkeypatch.setattr(environment.toolchain, "check", lambda *a, **kw: None)
    monkeypatch.setattr(interpreters, "find", lambda environ: [PYTHON])
    monkeypatch.setattr(
        interpreters, "probe", lambda path: PYTHON if path == PYTHON.path else None
    )
    return uv


def _ensure(root, **request):
    environment.ensure(root, Request(**{"dev": False, **request}), {})


def test_first_call_installs_and_second_does_nothing(root, machine):
    _ensure(root)
    assert machine.commands == [("venv", "--quiet"), *INSTALL]
    machine.commands.clear()
    _ensure(root)
    assert machine.commands == []
    stamp = environment.read_stamp(root)
    assert (stamp.line, stamp.python) == ("older", "/usr/bin/python3.10")


@pytest.mark.parametrize("name", ["requirements/older.txt", "setup.py"])
def test_changed_input_installs_again_into_the_same_environment(root, machine, name):
    _ensure(root)
    (root / name).write_text("changed")
    machine.commands.clear()
    _ensure(root)
    assert machine.commands == INSTALL


@pytest.mark.parametrize("name", ["current.txt", "older-dev.txt"])
def test_change_that_does_not_concern_the_environment(root, machine, name):
    _ensure(root)
    (root / "requirements" / name).write_text("changed")
    machine.commands.clear()
    _ensure(root)
    assert machine.commands == []


def test_tools_are_added_and_stay(root, machine):
    _ensure(root)
    machine.commands.clear()
    _ensure(root, dev=True)
    assert machine.commands == INSTALL
    _ensure(root)
    assert len(machine.commands) == 2


def test_interrupted_install_is_made_anew(root, machine, monkeypatch):
    def fail(*arguments):
        raise SetupError("no network")

    working = machine.run
    monkeypatch.setattr(
        machine, "run", lambda *a: working(*a) if a[0] == "venv" else fail()
    )
    with pytest.raises(SetupError, match="no network"):
        _ensure(root)
    monkeypatch.setattr(machine, "run", working)
    machine.commands.clear()
    _ensure(root)
    assert machine.commands[0] == ("venv", "--quiet")


def test_environment_of_someone_else_is_not_touched(root, machine):
    (root / ".venv").mkdir()
    with pytest.raises(SetupError, match="this set-up did not make it"):
        _ensure(root)
    assert machine.commands == []


def test_other_platform_is_refused(root, machine, monkeypatch):
    monkeypatch.setattr(environment.platform, "machine", lambda: "aarch64")
    with pytest.raises(SetupError, match="Linux on x86_64; this is Linux on aarch64"):
        _ensure(root)


def _stamp(folder, **changes):
    made_for = {
        "root": str(folder),
        "glibc": [2, 36],
        "line": "older",
        "python": PYTHON.path,
        "asked": "python3.10",
        "inputs": environment.inputs(folder, "older", dev=False),
    }
    return Stamp(**{**made_for, **changes})


@pytest.mark.parametrize(
    ("request_", "changes", "expected"),
    [
        ({}, {}, True),
        ({"line": "older"}, {}, True),
        ({"line": "current"}, {}, False),
        ({"python": "python3.10"}, {}, True),
        ({"python": "/usr/bin/python3.10"}, {}, True),
        ({"python": "python3.11"}, {}, False),
        ({"dev": True}, {}, False),
        ({}, {"root": "/moved"}, False),
        ({}, {"glibc": [2, 41]}, False),
    ],
)
def test_is_current(root, machine, request_, changes, expected):
    _make_venv(root / ".venv")
    stamp = _stamp(root, **changes)
    request = Request(**{"dev": False, **request_})
    assert environment.is_current(root, stamp, request) == expected


def test_is_not_current_when_the_interpreter_is_gone(root, machine):
    (root / ".venv" / "bin").mkdir(parents=True)
    (root / ".venv" / "bin" / "python").symlink_to(root / "gone")
    assert not environment.is_current(root, _stamp(root), Request(dev=False))


def test_choice_of_a_line_stays(root, machine, monkeypatch):
    monkeypatch.setattr(environment, "host_glibc", lambda: (2, 41))
    current = PYTHON._replace(version=(3, 13, 5), glibc=(2, 41), path="/usr/bin/p13")
    older = PYTHON._replace(glibc=(2, 41))
    monkeypatch.setattr(interpreters, "find", lambda environ: [current, older])
    monkeypatch.setattr(interpreters, "probe", lambda path: older)
    _ensure(root, line="older")
    (root / "setup.py").write_text("changed")
    _ensure(root)
    assert environment.read_stamp(root).line == lines.OLDER.name
