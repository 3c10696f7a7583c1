"""`ncf recommend` finds the newest complete model and prints its answer."""

import json
import pathlib

import pytest
import tensorflow as tf
from typer import testing

from pipeline import cli
from pipeline.serving import cli as serving_cli


class _Model(tf.Module):
    """Answers items "1", "2", ... `best` first, scored 1/1, 1/2, ...; 2 items exist."""

    def __init__(self, best):
        super().__init__()
        self._items = tf.constant([str(best), str(3 - best)])

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.string, name="user_id"),
            tf.TensorSpec([], tf.int32, name="k"),
        ]
    )
    def recommend(self, user_id, k):
        users = tf.size(user_id)
        filled = tf.concat([self._items, tf.fill([k], "")], axis=0)[:k]
        scores = 1 / tf.range(1, k + 1)
        return {
            "item_ids": tf.tile(filled[None], [users, 1]),
            "scores": tf.tile(tf.cast(scores, tf.float32)[None], [users, 1]),
        }


def _push(out, version, best):
    model = _Model(best)
    tf.saved_model.save(
        model,
        str(out / "serving" / str(version)),
        signatures={"recommend": model.recommend},
    )


def _ask(out, *arguments):
    """Runs `ncf recommend` for one user; returns the items, or the failed command."""
    words = ["recommend", "--user", "u", "--out", str(out), "--json", *arguments]
    done = testing.CliRunner().invoke(cli.app, words)
    return json.loads(done.stdout)[0]["items"] if done.exit_code == 0 else done


def test_the_highest_number_wins_even_with_more_digits(tmp_path):
    _push(tmp_path, 9, best=1)
    _push(tmp_path, 10, best=2)
    [first] = _ask(tmp_path, "-k", "1")
    assert first == {"item_id": "2", "title": "", "score": 1.0}


def test_a_version_that_is_not_complete_is_passed_over(tmp_path):
    _push(tmp_path, 9, best=1)
    (tmp_path / "serving" / "10" / "variables").mkdir(parents=True)
    assert _ask(tmp_path, "-k", "1")[0]["item_id"] == "1"


def test_titles_are_shown_and_missing_places_are_left_out(tmp_path):
    _push(tmp_path, 1, best=1)
    (tmp_path / "titles.csv").write_text('item_id,title\n1,"Good, the Bad"\n')
    assert [(item["item_id"], item["title"]) for item in _ask(tmp_path, "-k", "5")] == [
        ("1", "Good, the Bad"),
        ("2", ""),
    ]


def test_refuses_k_below_1(tmp_path):
    assert _ask(tmp_path, "-k", "0").exit_code == 2


def test_says_what_to_do_when_nothing_was_pushed(tmp_path):
    # `ncf run --out FOLDER` would train on the default data, MovieLens.
    assert f"`ncf runs --out {tmp_path}` lists" in _ask(tmp_path).output
    spaced = tmp_path / "a b"
    assert f"`ncf runs --out '{spaced}'` lists" in _ask(spaced).output
    with pytest.raises(ValueError, match="Run `ncf run` first"):
        serving_cli._latest_out(tmp_path)


def test_the_latest_run_is_the_one_pushed_last(tmp_path, monkeypatch):
    for name in ("old", "new"):
        _push(tmp_path / "runs" / name, 1, best=1)
    monkeypatch.chdir(tmp_path)
    assert pathlib.Path(serving_cli.serving_folder(None, None)).parent.name == "new"
