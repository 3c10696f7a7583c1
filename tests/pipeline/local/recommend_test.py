"""`ncf recommend` finds the newest whole model and prints what it answers."""

import os
import subprocess
import sys
import types

import pytest
import tensorflow as tf
from typer import testing

from pipeline import cli
from pipeline.local import recommend


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


def test_the_highest_number_wins_even_with_more_digits(tmp_path):
    _push(tmp_path, 9, best=1)
    _push(tmp_path, 10, best=2)
    [[first]] = recommend.recommend(tmp_path, ["u"], k=1)
    assert first == ("2", "", 1.0)


def test_a_version_that_is_not_complete_is_passed_over(tmp_path):
    _push(tmp_path, 9, best=1)
    (tmp_path / "serving" / "10" / "variables").mkdir(parents=True)
    assert recommend.latest_model(tmp_path).name == "9"


def test_titles_are_shown_and_missing_places_are_left_out(tmp_path):
    _push(tmp_path, 1, best=1)
    (tmp_path / "titles.csv").write_text('item_id,title\n1,"Good, the Bad"\n')
    [items] = recommend.recommend(tmp_path, ["u"], k=5)
    assert [(item.item_id, item.title) for item in items] == [
        ("1", "Good, the Bad"),
        ("2", ""),
    ]


def test_the_command_prints_a_table_per_user(tmp_path):
    _push(tmp_path, 1, best=2)
    result = testing.CliRunner().invoke(
        cli.app, ["recommend", "--user", "a", "--user", "b", "--out", str(tmp_path)]
    )
    assert result.exit_code == 0
    assert "user a" in result.output
    assert "user b" in result.output
    assert "0.5000" in result.output


def test_refuses_k_below_1(tmp_path):
    with pytest.raises(ValueError, match="`k` must be >= 1; got 0"):
        recommend.recommend(tmp_path, ["u"], k=0)


def test_says_what_to_do_when_nothing_was_pushed(tmp_path):
    with pytest.raises(ValueError, match="Run `ncf run --out"):
        recommend.recommend(tmp_path, ["u"], k=1)
    with pytest.raises(ValueError, match="Run `ncf run` first"):
        recommend.latest_out(tmp_path)


def test_the_latest_run_is_the_one_pushed_last(tmp_path):
    for name in ("old", "new"):
        _push(tmp_path / name, 1, best=1)
    assert recommend.latest_out(tmp_path).name == "new"


def test_tensorflow_alone_and_whoever_wants_keras_still_gets_it():
    code = """
import gc, sys
from pipeline.local import recommend

tf = recommend.import_tensorflow()
print(sorted({"keras", "h5py", "IPython", "matplotlib"} & {*sys.modules}))
print(gc.isenabled(), gc.get_freeze_count() > 100_000)
import keras

layer = keras.layers.Dense(2)
print(layer(tf.ones([3, 1])).shape, tf.keras.layers.Dense is keras.layers.Dense)
"""
    # Packages that the tests import have set which Keras TensorFlow takes.
    env = {k: v for k, v in os.environ.items() if k != "TF_USE_LEGACY_KERAS"}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env=env,
    )
    assert done.stdout.splitlines() == ["[]", "True True", "(3, 2) True"], done.stderr


def test_tensorflow_imported_before_is_returned_and_nothing_is_hidden(monkeypatch):
    hidden = []

    class Modules(dict):
        def __setitem__(self, name, module):
            hidden.append(name)

    modules = Modules({"tensorflow": tf})  # As if nothing else were imported.
    monkeypatch.setattr(recommend, "sys", types.SimpleNamespace(modules=modules))
    assert recommend.import_tensorflow() is tf
    assert hidden == []
