"""Tests the parts' processes of `make bench`."""

import argparse
import pathlib
import sys

import pytest

from benchmarks import bench


def _options(out: pathlib.Path) -> argparse.Namespace:
    return argparse.Namespace(full=False, data_dir=None, peer=None, out=out)


def _python_that(
    does: str, folder: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lets parts run by a script; it finds the name of the file of figures in $5."""
    script = folder / "python"
    script.write_text(f"#!/bin/sh\n{does}\n")
    script.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(script))


def test_noise_goes_to_the_log(tmp_path, monkeypatch, capfd) -> None:
    does = 'echo noise >&2; echo \'[["sampling/a", "ns", [1.0, 2.0]]]\' > "$5"'
    _python_that(does, tmp_path, monkeypatch)
    (figure,) = bench._in_a_process("sampling", _options(tmp_path / "out"))
    assert (figure.name, figure.median) == ("sampling/a", 1.5)
    assert capfd.readouterr() == ("", "")
    assert (tmp_path / "out" / "sampling.log").read_text() == "noise\n"


def test_failed_part_shows_the_end_of_its_log(tmp_path, monkeypatch, capfd) -> None:
    does = r"printf '\377\n' >&2; seq 100 >&2; exit 3"  # A byte that is not UTF-8.
    _python_that(does, tmp_path, monkeypatch)
    assert bench._in_a_process("sampling", _options(tmp_path / "out")) is None
    told = capfd.readouterr().err.splitlines()
    assert told[0].endswith("sampling.log:")
    assert "sampling failed" in told[0]
    assert told[1:] == [str(n) for n in range(81, 101)]
