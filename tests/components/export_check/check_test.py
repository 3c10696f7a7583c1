"""Each kind of broken export is refused with a message that names the fault."""

import copy
import signal
import sys
import venv

import pytest

from components.export_check import check

ANSWER = {
    "scores": [0.25, 0.5],
    "lists": {
        "no user": {"item_ids": [], "scores": []},
        **{
            who: {
                "item_ids": [[*"abc", *[""] * 7]],
                "scores": [[0.9, 0.5, 0.5, *[0.0] * 7]],
            }
            for who in ("known user", "unknown user", "empty user")
        },
    },
}
EXPECTED = {
    "user_ids": ["u", "v"],
    "item_ids": ["i", "j"],
    "scores": [0.25, 0.49],
    "tolerance": 0.011,
}


def test_a_good_answer_is_accepted():
    check.require(ANSWER, EXPECTED)
    everything = copy.deepcopy(ANSWER)
    everything["lists"]["known user"] = {
        "item_ids": [[""] * 10],
        "scores": [[0.0] * 10],
    }
    check.require(everything, EXPECTED)


def test_scores_beyond_the_tolerance():
    with pytest.raises(
        ValueError, match=r"1 of 2 scores .* user 'v' and item 'j': 0.5, trained 0.49"
    ):
        check.require(ANSWER, EXPECTED | {"tolerance": 0.009})
    nan = ANSWER | {"scores": [float("nan"), 0.5]}
    with pytest.raises(
        ValueError, match=r"of user 'u' and item 'i': nan, trained 0.25"
    ):
        check.require(nan, EXPECTED)


@pytest.mark.parametrize(
    ("who", "changed", "reason"),
    [
        ("no user", {"item_ids": [["a"]]}, "no user gets a list"),
        ("unknown user", {"item_ids": [[""] * 10]}, "the unknown user gets nothing"),
        ("empty user", {"item_ids": [["a"]]}, "list has 1 places instead of 10"),
        ("known user", {"item_ids": [[*"abab", *[""] * 6]]}, "gets an item twice"),
        ("known user", {"scores": [[0.1, 0.2, *[0.0] * 8]]}, "list is not in order"),
        ("empty user", {"scores": [[float("nan")] * 10]}, "scores are not all numbers"),
    ],
)
def test_lists_that_are_none(who, changed, reason):
    answer = copy.deepcopy(ANSWER)
    answer["lists"][who] |= changed
    with pytest.raises(ValueError, match=f"is broken: .*{reason}.*It was not pushed"):
        check.require(answer, EXPECTED)


def test_tensorflow_is_found_where_this_process_finds_it(tmp_path, monkeypatch):
    """TensorFlow may be on this process's path only, as in a user's own packages."""
    venv.create(tmp_path / "empty")
    monkeypatch.setattr(sys, "executable", str(tmp_path / "empty" / "bin" / "python"))
    with pytest.raises(ValueError, match="SavedModel file does not exist"):
        check.ask(str(tmp_path / "none"), {})


def test_a_process_that_is_ready_is_asked_and_no_other_one(tmp_path, monkeypatch):
    check.get_ready()
    check.get_ready()
    (ready,) = check._ready
    monkeypatch.setattr(check, "_start", lambda: pytest.fail("A second process."))
    with pytest.raises(ValueError, match="SavedModel file does not exist"):
        check.ask(str(tmp_path / "none"), {})
    assert ready.returncode == 1
    assert not check._ready


def test_a_process_that_died_while_it_waited_is_replaced(tmp_path):
    check.get_ready()
    (dead,) = check._ready
    dead.kill()
    dead.wait()
    with pytest.raises(ValueError, match="SavedModel file does not exist"):
        check.ask(str(tmp_path / "none"), {})


def test_a_process_that_nobody_asked_is_ended():
    check.get_ready()
    (ready,) = check._ready
    check.forget()
    assert ready.returncode == -signal.SIGKILL
    assert not check._ready


def test_a_process_ends_quietly_with_the_one_that_started_it():
    """The end of that process closes the pipe on which a question would come."""
    process = check._start()
    assert process.communicate()[0] == ""
    assert process.returncode == 0


@pytest.mark.parametrize("relative", ["", "folder"])
def test_nothing_is_imported_from_the_temporary_folder(tmp_path, monkeypatch, relative):
    """Everybody may write there, and the process works in it."""
    monkeypatch.setattr(check.tempfile, "gettempdir", lambda: str(tmp_path))
    monkeypatch.setattr(sys, "path", [*sys.path, relative])
    process = check._start()
    process.communicate()
    assert relative not in process.args[3:]
    assert sys.path[0] in process.args[3:]
