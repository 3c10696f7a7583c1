"""On a real terminal a run shows a line per node; all other output is in the log."""

import pathlib
import sys

import pseudo_terminal
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
NOISE = 2000
# Prints as a run does: through Python's streams, the root logger and below Python.
RUN = f"""
import logging, os, pathlib, sys, time
from pipeline.local import terminal

log = pathlib.Path(sys.argv[1])
logging.basicConfig(level=logging.INFO)
logger = logging.getLogger("absl")
logger.setLevel(logging.INFO)
with terminal.output_to_file(log) as console:
    display = terminal.RunDisplay(console)
    try:
        with display.following():
            for node in ("Transform", "Trainer"):
                display.started(node)
                time.sleep(0.3)  # The display draws several times.
                for i in range({NOISE}):
                    print("noise of Python", i)
                    print("noise of Python's errors", i, file=sys.stderr)
                    logger.info("noise of logging %d", i)
                    os.write(1, b"noise of C++\\n")
                if node == sys.argv[2]:
                    raise RuntimeError("deep [below]")
                display.finished(cached=False)
    except Exception as error:
        display.failed()
        terminal.print_failure(console, error, log)
        logging.exception("The run failed.")
        sys.exit(1)
    console.print("the result")
"""


def _run(tmp_path, failing_node, **options):
    log = tmp_path / "run.log"
    command = [sys.executable, "-c", RUN, str(log), failing_node]
    screen = pseudo_terminal.run(command, cwd=ROOT, **options)
    return screen, log.read_text()


@pytest.mark.parametrize("columns", [40, 80, 200])
def test_a_run_that_succeeds_shows_its_nodes_and_no_noise(tmp_path, columns):
    screen, log = _run(tmp_path, "none", columns=columns)
    assert screen.returncode == 0
    assert [line.split()[:2] for line in screen.lines] == [
        ["✓", "Transform"],
        ["✓", "Trainer"],
        ["the", "result"],
    ]
    assert "noise" not in screen.raw
    assert log.count("noise") == 2 * 4 * NOISE


def test_a_run_that_fails_shows_why_and_the_log_has_the_traceback(tmp_path):
    screen, log = _run(tmp_path, "Trainer", columns=200)
    assert screen.returncode == 1
    assert [line.split()[:2] for line in screen.lines] == [
        ["✓", "Transform"],
        ["✗", "Trainer"],
        ["deep", "[below]"],
        ["The", "full"],
    ]
    assert "Traceback" not in screen.raw
    assert "noise" not in screen.raw
    assert "RuntimeError: deep [below]" in log
    assert "Traceback" in log
