"""The terminal shows nodes and result; everything else goes to the log."""

import io
import itertools
import pathlib
import re
import subprocess
import sys

import pytest
from rich.console import Console

from ncf_model import progress
from ncf_model.training import progress as training
from pipeline.local import executions, terminal

ROOT = pathlib.Path(__file__).resolve().parents[3]


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100, highlight=False)


def _follow(console, **cached):
    """Shows nodes; each value says if the node was cached, None if it does not end."""
    display = terminal.RunDisplay(console)
    with display.following():
        for node, found in cached.items():
            display.started(node)
            if found is not None:
                display.finished(cached=found)
    return display


def test_a_line_per_node_with_its_time(console):
    display = _follow(console, Transform=False, Trainer=True)
    lines = console.file.getvalue().splitlines()
    assert display.shown == ["Transform", "Trainer"]
    assert [line.split()[1] for line in lines if "✓" in line] == display.shown
    assert "cached" in lines[1]
    assert "cached" not in lines[0]


def test_a_running_node_says_how_long_it_took_the_last_time():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    display = terminal.RunDisplay(console)
    display.earlier = {"Transform": 61.6}
    with display.following():
        display.started("Transform")
    assert "took 62 s the last time" in console.file.getvalue()
    assert "numbers users" not in console.file.getvalue()


def test_in_a_first_run_it_says_what_it_does():
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    display = terminal.RunDisplay(console)
    with display.following():
        display.started("Transform")
    assert "numbers users and items" in console.file.getvalue()


def _bar(seconds, event=None, *, more=0.0):
    """Returns the longest bar shown for a node that took 62 s in the run before.

    The node reports `event` after `seconds`, and runs `more` seconds longer.
    """
    clock = [0.0]
    console = Console(
        file=io.StringIO(),
        width=100,
        force_terminal=True,
        color_system=None,
        get_time=lambda: clock[0],
    )
    display = terminal.RunDisplay(console)
    display.earlier = {"EvalContext": 62.0}
    with display.following():
        display.started("EvalContext")
        clock[0] = seconds
        if event:
            display.step(event)
        clock[0] += more
    drawn = console.file.getvalue()
    return max(map(len, re.findall("━+", drawn)), default=0), drawn


@pytest.mark.parametrize(("seconds", "length"), [(31.0, 12), (600.0, 22)])
def test_a_bar_goes_by_the_last_time(seconds, length):
    """The bar has 24 places, and is never full before the node ends."""
    assert _bar(seconds)[0] == length


def test_a_bar_goes_by_what_the_node_says():
    event = progress.StepProgress(fraction=0.25, doing="tunes and fits ease, 2 of 3")
    length, drawn = _bar(31.0, event)
    assert length == 6
    assert "tunes and fits ease, 2 of 3" in drawn


@pytest.mark.parametrize(
    ("node", "like", "seconds"),
    [("Transform", "StatisticsGen", 90), ("Evaluator", "NegativeSampling", 60)],
)
@pytest.mark.parametrize("before", [False, True])
def test_in_a_first_run_an_earlier_node_tells_how_long(
    node, like, seconds, before, monkeypatch
):
    """With `before` the earlier node's seconds come from a run that failed later."""
    clock = [0.0]
    monkeypatch.setattr(terminal.time, "monotonic", lambda: clock[0])
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    display = terminal.RunDisplay(console)
    display.earlier = {like: 30.0} if before else {}
    with display.following():
        display.started(like)
        clock[0] = 1.0 if before else 30.0
        display.finished(cached=before)
        display.started(node)
    assert f"about {seconds} s: " in console.file.getvalue()


@pytest.mark.parametrize(("seconds", "tells"), [(0.33, False), (0.34, True)])
def test_less_than_a_second_is_not_told(seconds, tells):
    """Transform takes three times as long as StatisticsGen."""
    console = Console(file=io.StringIO(), width=100, force_terminal=True)
    display = terminal.RunDisplay(console)
    display.earlier = {"StatisticsGen": seconds}
    with display.following():
        display.started("Transform")
    assert ("about 1 s: " in console.file.getvalue()) is tells
    assert "numbers users and items" in console.file.getvalue()


def _trainer_bar(events):
    """Returns the length, of 24 places, of the bar after the last of the events."""
    console = Console(
        file=io.StringIO(), width=100, force_terminal=True, color_system=None
    )
    display = terminal.RunDisplay(console)
    with display.following():
        display.started("Trainer")
        for event in events:
            is_step = isinstance(event, progress.StepProgress)
            (display.step if is_step else display.training)(event)
    return len(re.findall("━+", console.file.getvalue())[-1])


def test_trainers_bar_moves_on_from_phase_to_phase():
    def step(fraction):
        return progress.StepProgress(fraction=fraction, doing="")

    def epoch(phase, number, fraction):
        return training.TrainingProgress(
            phase=phase,
            epoch=number,
            epochs=2,
            fraction=fraction,
            examples_per_second=1.0,
            loss=1.0,
            hit_rate=None,
        )

    events = [
        step(0.15),  # The search has ended.
        epoch("train", 1, 0.0),
        epoch("train", 1, 1.0),
        epoch("train", 2, 1.0),
        epoch("refit", 1, 0.0),
        epoch("refit", 2, 1.0),
        step(0.95),
    ]
    lengths = [_trainer_bar(events[: end + 1]) for end in range(len(events))]
    # .15, .15, .15 + .5 / 2, .65, .65, .85 and .95 of 24 places.
    assert lengths == [3, 3, 9, 15, 15, 20, 22]
    # The bar never moves back, and a training without a search begins at 0.
    assert _trainer_bar([*events[1:4], step(0.1)]) == 15
    assert _trainer_bar([epoch("train", 1, 1.0)]) == 7


def test_the_clock_goes_on_beside_a_full_bar():
    event = progress.StepProgress(fraction=1.0, doing="6,040 lists")
    _, drawn = _bar(31.0, event, more=20.0)
    clock = re.findall(r"6,040 lists .*?(\d:\d\d:\d\d)", drawn)
    assert clock[-1] == "0:00:51"


def test_a_node_that_failed_is_marked(console):
    display = _follow(console, Trainer=None)
    display.failed()
    assert "✗ Trainer" in console.file.getvalue()


def test_what_the_display_was_not_told_of_is_shown_at_the_end(console):
    display = _follow(console, Transform=False)
    runs = [
        executions.NodeRun(node="Transform", cached=False, finished=True, seconds=1),
        executions.NodeRun(node="Trainer", cached=True, finished=True, seconds=62.5),
    ]
    display.complete(runs)
    lines = [line for line in console.file.getvalue().splitlines() if line.strip()]
    assert [line.split()[1] for line in lines] == ["Transform", "Trainer"]
    assert lines[1].split()[2:] == ["62.5", "s", "cached"]


def test_a_terminal_that_is_gone_does_not_end_the_run():
    class Gone(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

    console = terminal.RunConsole(file=Gone(), highlight=False)
    console.print("shown to nobody")
    display = _follow(console, A=False)
    assert display.shown == ["A"]


PRINTING = """
import os, pathlib, sys
from ncf_model import progress
from pipeline.local import executions, terminal
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


def test_a_failure_is_printed_with_its_brackets(console):
    error = ValueError("install `tensorflow[and-cuda]`, not [/]")
    terminal.print_failure(console, error, pathlib.Path("out[1]/run.log"))
    assert console.file.getvalue().splitlines() == [
        "install `tensorflow[and-cuda]`, not [/]",
        "The full log: out[1]/run.log",
    ]


def _chain(*errors):
    for outer, inner in itertools.pairwise(errors):
        outer.__cause__ = inner
    return errors[0]


def test_beams_words_are_left_out():
    error = _chain(
        RuntimeError("ValueError: line 3: no number [while running 'Read/ParDo']"),
        ValueError("line 3: no number [while running 'Read/ParDo']"),
        ValueError("line 3: no number"),
    )
    assert terminal.explain(error) == ["line 3: no number"]
    assert terminal.explain(ValueError("no number [while running 'x']")) == [
        "no number"
    ]


def test_our_advice_comes_first_and_its_cause_after_it():
    error = _chain(
        ValueError("The checkpoint c.npz cannot be read. Remove it."),
        OSError("a bad block"),
    )
    assert terminal.explain(error) == [
        "The checkpoint c.npz cannot be read. Remove it.",
        "  Because of: a bad block",
    ]


def test_a_cause_that_was_told_is_not_told_twice():
    error = _chain(ValueError("cannot be read (not a zip file)"), OSError("not a zip"))
    assert terminal.explain(error) == ["cannot be read (not a zip file)"]


def test_an_error_without_words_has_its_name():
    assert terminal.explain(KeyError()) == ["KeyError"]


def test_escape_sequences_in_an_error_do_not_reach_the_terminal():
    [line] = terminal.explain(ValueError("got '\x1b[2J'"))
    assert line == "got '\\x1b[2J'"
