"""The terminal shows nodes and result; everything else goes to the log."""

import io
import logging
import pathlib
import subprocess
import sys

import pytest
from rich.console import Console

from pipeline.local import terminal

ROOT = pathlib.Path(__file__).resolve().parents[3]
SUMMARY = {
    "dataset": "tiny",
    "num_users": 1234,
    "num_items": 4,
    "num_interactions": 9,
    "metrics": {"hit_rate@10": 0.5, "ndcg@10": None},
    "baselines": {"popularity": {"hit_rate@10": 0.25}, "ease": {}},
    "blessed": True,
    "not_blessed_because": [],
    "pushed_to": "/serving/7",
}


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100, highlight=False)


def _follow(console, *messages):
    logger = logging.Logger("a run")
    display = terminal.RunDisplay(console)
    with display.following(logger):
        for message in messages:
            logger.info(message)
    return display


def test_a_line_per_node_with_its_time(console):
    display = _follow(
        console,
        "Component Transform is running.",
        "anything else",
        "Component Transform is finished.",
        "Component Trainer is running.",
        "A cached execution 12 is used.",
        "Component Trainer is finished.",
    )
    lines = console.file.getvalue().splitlines()
    assert list(display.seconds) == ["Transform", "Trainer"]
    assert display.cached == {"Trainer"}
    assert [line.split()[1] for line in lines if "✓" in line] == list(display.seconds)
    assert "cached" in lines[1]
    assert "cached" not in lines[0]


def test_a_node_that_failed_is_marked(console):
    display = _follow(console, "Component Trainer is running.")
    display.failed()
    assert "✗ Trainer" in console.file.getvalue()
    assert display.seconds == {}


PRINTING = """
import os, pathlib, sys
from pipeline.local import terminal
with terminal.output_to_file(pathlib.Path(sys.argv[1])) as console:
    print("from Python")
    os.write(2, b"from C++\\n")
    console.print("for the user")
print("afterwards")
"""


def test_output_goes_to_the_file_even_below_python(tmp_path):
    log = tmp_path / "logs" / "run.log"
    done = subprocess.run(
        [sys.executable, "-c", PRINTING, log],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert sorted(log.read_text().splitlines()) == ["from C++", "from Python"]
    assert done.stdout.splitlines() == ["for the user", "afterwards"]
    assert done.stderr == ""


def test_the_result_as_a_table(console):
    terminal.print_summary(console, SUMMARY)
    text = console.file.getvalue()
    assert "tiny: 1,234 users, 4 items, 9 interactions" in text
    assert "0.5000" in text
    assert "0.2500" in text
    assert "not a number" in text
    assert "pushed to /serving/7" in text


def test_the_result_says_why_a_model_is_not_blessed(console):
    refused = {"blessed": False, "not_blessed_because": ["[floor] 0.5 < 0.6"]}
    terminal.print_summary(console, SUMMARY | refused)
    assert "[floor] 0.5 < 0.6" in console.file.getvalue()
    assert "pushed to" not in console.file.getvalue()


def test_a_failure_is_printed_with_its_brackets(console):
    error = ValueError("install `tensorflow[and-cuda]`, not [/]")
    terminal.print_failure(console, error, pathlib.Path("out[1]/run.log"))
    assert console.file.getvalue().splitlines() == [
        "install `tensorflow[and-cuda]`, not [/]",
        "The full log: out[1]/run.log",
    ]


def test_root_cause_is_the_first_error_without_beams_words():
    error = RuntimeError("a stage failed")
    error.__cause__ = ValueError("line 3: no number [while running 'Read/ParDo']")
    assert terminal.root_cause(error) == "line 3: no number"


def test_root_cause_of_an_error_without_words():
    assert terminal.root_cause(KeyboardInterrupt()) == "KeyboardInterrupt"
