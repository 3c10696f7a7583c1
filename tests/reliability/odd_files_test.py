"""Each of some two hundred odd files is read with the right counts or refused cleanly.

A clean refusal by `ncf prepare` has exit status 2 and a short message that names the
file. The refusal takes bounded time and memory, and the message has no traceback and no
control sequences for a terminal. The node InteractionsExampleGen refuses the same
files.
"""

import json
import os
import signal
import unicodedata

import pytest
from typer.testing import CliRunner

from components.interactions_example_gen import executor, files, reading
from pipeline import cli, config
from pipeline.text import printable
from tests.reliability import odd_files, scale

LIMIT_S = (
    240  # No case takes a second; a case that takes so many seconds would never end.
)
ALL = odd_files.all_cases(mutated=scale.of(quick=12, full=400), seed=scale.SEED)
CASES = ALL if scale.FULL else ALL[1::4]


@pytest.fixture(autouse=True)
def _ends():
    def stop(*_):
        raise TimeoutError(f"not done after {LIMIT_S} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LIMIT_S)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def _prepare(path, settings):
    arguments = ["prepare", "--json", "--dataset", path]
    for setting in settings:
        arguments += ["--set", setting]
    return CliRunner().invoke(cli.app, arguments)


def _is_clean(message, path):
    """Asserts that a refusal is short, names the file and has nothing unprintable."""
    assert "Traceback" not in message
    assert len(message) < 3000 + 2 * len(path)
    bad = {c for c in message if unicodedata.category(c) == "Cc"} - {"\n"}
    assert not bad, f"{bad} in {message!r}"
    folder, name = os.path.split(path)
    named = (name[:20], os.path.basename(folder), "data.")
    assert any(printable(part) in message for part in named)


def _in_the_node(path, settings):
    """Returns the rows that InteractionsExampleGen reads, or the error that ends it."""
    found = config.load(None, settings, dataset=path).data.reading()
    try:
        paths = files.find(path)
        _, layout = reading.first_layout(paths, found)
    except ValueError as error:
        return str(error)
    read = executor._ReadFile(found, list(layout.columns()), 1)
    reports = []
    for numbered in enumerate(paths):
        *_, last = read.process(numbered)
        reports.append(last.value)
    errors = [message for report in reports for *_, message in report["errors"]]
    return errors[0] if errors else sum(report["rows_read"] for report in reports)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_read_or_refused(tmp_path, case):
    case.make(str(tmp_path))
    path = os.path.join(tmp_path, case.name) if case.name else str(tmp_path)
    done = _prepare(path, case.settings)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    if done.exit_code == 0:
        assert not isinstance(case.expected, str), "it must be refused"
        counts = json.loads(done.stdout)
        if case.expected is not None:
            told = counts["rows"], counts["users"], counts["items"]
            assert told == case.expected
        assert counts["users"] <= counts["rows"]
        if "\0" not in path and not {*"[*?"} & {*os.path.dirname(path)}:
            assert _in_the_node(path, case.settings) == counts["rows"]
        return
    assert done.exit_code == 2
    assert case.expected is None or isinstance(case.expected, str), done.stderr
    _is_clean(done.stderr, path)
    assert (case.expected or "") in " ".join(done.stderr.split())
