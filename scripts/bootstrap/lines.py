"""The two supported lines of releases, and which of them fits a machine."""

from __future__ import annotations

from typing import Callable, Iterable, NamedTuple

from scripts.bootstrap.errors import SetupError
from scripts.bootstrap.interpreters import Interpreter


class Line(NamedTuple):
    """One set of releases that belong together: TFX, TensorFlow, Beam and the like.

    Attributes:
        name: the name, also of the lock file, requirements/<name>.txt.
        pythons: the line's Pythons as (major, minor); uv is asked for the first.
        glibc: the oldest glibc on which the line's wheels run.
    """

    name: str
    pythons: tuple[tuple[int, int], ...]
    glibc: tuple[int, int]

    def fits(self, interpreter: Interpreter) -> bool:
        return (
            interpreter.version[:2] in self.pythons and interpreter.glibc >= self.glibc
        )

    def __str__(self) -> str:
        oldest, newest = dotted(self.pythons[-1]), dotted(self.pythons[0])
        pythons = newest if oldest == newest else f"{oldest} to {newest}"
        glibc = f"glibc {dotted(self.glibc)} or newer"
        return f"{self.name} line: Python {pythons}, {glibc}"


# The wheels of ml-metadata and TFDV for TFX 1.21 need glibc 2.39. The older line exists
# only for machines with an older glibc.
CURRENT = Line("current", ((3, 13), (3, 12), (3, 11)), (2, 39))
OLDER = Line("older", ((3, 10),), (2, 17))
LINES = (CURRENT, OLDER)

_HELP = """
  Debian/Ubuntu: {apt}
  Fedora:        {dnf}
  with pyenv:    pyenv install {pyenv}
Then run the same command again, or name the interpreter: PYTHON=/path/to/python"""


def named(name: str) -> Line:
    """Returns the line of that name.

    Raises:
        SetupError: there is no line of that name.
    """
    for line in LINES:
        if line.name == name:
            return line
    known = " or ".join(f"LINE={line.name}" for line in LINES)
    raise SetupError(f"LINE={name} is not a line; it must be {known}, or left out.")


def choose(
    found: Iterable[Interpreter],
    *,
    host_glibc: tuple[int, int],
    only: Line | None = None,
    ask_uv: Callable[[Line], Interpreter | str],
) -> tuple[Line, Interpreter]:
    """Returns the first line that can run on this machine, and an interpreter for it.

    Of several interpreters that fit, one with its C headers is taken if there is one,
    because a package has to be compiled.

    Args:
        found: the machine's interpreters, the preferred ones first.
        host_glibc: the version of the machine's glibc; uv is asked only for the Pythons
            of lines that run on it.
        only: the one line to consider; None considers all.
        ask_uv: returns an interpreter for a line, or why there is none.

    Raises:
        SetupError: no line fits. The message says what was found and what to do.
    """
    found = list(found)
    refusals = []
    for line in (only,) if only else LINES:
        fitting = [interpreter for interpreter in found if line.fits(interpreter)]
        fitting.sort(key=lambda interpreter: not interpreter.has_headers)
        if fitting:
            return line, fitting[0]
        if host_glibc >= line.glibc:
            answer = ask_uv(line)
            if isinstance(answer, Interpreter) and line.fits(answer):
                return line, answer
            refusals.append(f"uv has no Python {dotted(line.pythons[0])}: {answer}")
    raise SetupError(_nothing_fits(found, host_glibc, only, refusals))


def choose_for(
    asked: str,
    *,
    only: Line | None = None,
    probe: Callable[[str], Interpreter | None],
) -> tuple[Line, Interpreter]:
    """Returns the line of the interpreter that the user named, and the interpreter.

    Args:
        asked: the path or the command that the user gave as PYTHON=.
        only: the line that the user gave as LINE=, if any.
        probe: returns the interpreter that a command starts, or None.

    Raises:
        SetupError: `asked` is no interpreter, or does not fit `only`, or fits no line.
    """
    interpreter = probe(asked)
    if interpreter is None:
        raise SetupError(
            f"PYTHON={asked} must be a CPython that runs (with the GIL); it is not. "
            "Give a path or a command, such as PYTHON=python3.10."
        )
    for line in (only,) if only else LINES:
        if line.fits(interpreter):
            return line, interpreter
    raise SetupError(
        f"PYTHON={asked} is Python {dotted(interpreter.version)} with "
        f"{_c_library(interpreter.glibc)}, which does not fit:\n{_needs(only)}\n"
        "Without PYTHON= the set-up looks for an interpreter that fits."
    )


def dotted(version: tuple[int, ...]) -> str:
    """Returns a version as text: "3.10" for (3, 10)."""
    return ".".join(map(str, version))


def _needs(only: Line | None) -> str:
    return "\n".join(f"  {line}" for line in ((only,) if only else LINES))


def _c_library(glibc: tuple[int, int]) -> str:
    return f"glibc {dotted(glibc)}" if any(glibc) else "a C library other than glibc"


def _nothing_fits(
    found: list[Interpreter],
    host_glibc: tuple[int, int],
    only: Line | None,
    refusals: list[str],
) -> str:
    """Returns the message that no line fits, with what is needed and what to do."""
    here = f"This machine has {_c_library(host_glibc)}"
    possible = [line for line in LINES if host_glibc >= line.glibc]
    if only and only not in possible:
        return (
            f"LINE={only.name} cannot run here. {here}; needed:\n  {only}\n"
            "Leave LINE out, or use Debian 13, Ubuntu 24.04 or newer."
        )
    if not possible:
        return f"{here}; needed:\n{_needs(only)}\nUse Debian, Ubuntu or Fedora."
    line = only or possible[0]
    python = dotted(line.pythons[0])
    pythons = ", ".join(map(str, found)) or "none"
    return "\n".join(
        [
            f"No Python here fits. {here}; needed:",
            _needs(only),
            f"Found on PATH and under pyenv: {pythons}.",
            *refusals,
            "Install one:",
        ]
    ) + _HELP.format(
        apt="sudo apt-get install "
        + (
            "python3 python3-venv python3-dev g++ (Debian 13, Ubuntu 24.04; where"
            f" python3 is newer than {python}, use pyenv)"
            if line is CURRENT
            else f"python{python} python{python}-venv python{python}-dev g++"
            " (Ubuntu 22.04; on Debian 12 use pyenv)"
        ),
        dnf=f"sudo dnf install python{python} python{python}-devel gcc-c++",
        pyenv=python,
    )
