"""From records on disk to a SavedModel and a history."""

import json
import types

import pytest
import tensorflow as tf
from absl import logging

from ncf_model import trainer


@pytest.fixture
def run(tiny, tmp_path):
    """Returns a function that trains and returns (history, SavedModel's folder)."""

    def train(*, model=None, train=None, sampling=None):
        fn_args = types.SimpleNamespace(
            train_files=tiny.train,
            eval_files=tiny.validation,
            transform_graph_path=str(tiny.root),
            serving_model_dir=str(tmp_path / "serving"),
            model_run_dir=str(tmp_path / "run"),
            custom_config={
                "model": {"mf_dim": 2, "layers": [4, 2]} | (model or {}),
                "train": {"epochs": 2, "batch_size": 10} | (train or {}),
                "sampling": {"num_negatives": 2} | (sampling or {}),
                "seed": 3,
            },
        )
        trainer.run_fn(fn_args)
        return json.loads((tmp_path / "run" / "history.json").read_text())

    return train


def test_trains_judges_refits_and_exports(run, tmp_path):
    history = run()
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2]
    for epoch in history["epochs"]:
        # 3 lists of fewer than 10 candidates: every held-out item is a hit.
        assert epoch["hit_rate@10"] == 1.0
        assert 0 < epoch["ndcg@10"] <= 1
        assert epoch["loss"] == pytest.approx(0.69, abs=0.1)
        assert epoch["seconds"] > 0
    assert history["best_epoch"] in (1, 2)
    assert history["refit"]["epochs"] == history["best_epoch"]
    assert history["final_loss"] == history["refit"]["loss"]
    assert history["seconds"] > 0
    assert history["examples_per_second"] > 0
    loaded = tf.saved_model.load(str(tmp_path / "serving"))
    assert set(loaded.signatures) == {"serving_default", "recommend", "evaluate"}
    assert list((tmp_path / "run" / "train").glob("events.out.tfevents.*"))
    assert list((tmp_path / "run" / "refit").glob("events.out.tfevents.*"))


def test_the_same_seed_gives_the_same_metrics(run):
    def metrics(history):
        return [(epoch["loss"], epoch["ndcg@10"]) for epoch in history["epochs"]]

    train = {"refit": False}
    assert metrics(run(train=train)) == metrics(run(train=train))


def test_one_line_per_epoch_in_the_log(run, monkeypatch):
    lines = []
    monkeypatch.setattr(logging, "info", lambda text, *args: lines.append(text % args))
    run(train={"refit": False})
    epochs = [line for line in lines if line.startswith("train epoch")]
    assert len(epochs) == 2
    assert "hit_rate@10 1," in epochs[0]


def test_a_diverged_model_is_not_exported(run, tmp_path):
    with pytest.raises(ValueError, match=r"of train epoch \d+ it is (nan|inf)"):
        run(train={"learning_rate": 1e30, "epochs": 9})
    assert not (tmp_path / "serving").exists()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": {"strategy": "magic"}}, "strategy"),
        ({"train": {"epochs": 0}}, "epochs"),
        ({"model": {"layers": [5, 2]}}, "must start with an even width"),
        ({"model": {"layers": [4]}}, "two widths or more"),
        ({"train": {"beta1": 0.9, "beta2": 0.8}}, "`beta1` squared must be below"),
    ],
)
def test_impossible_settings(run, settings, message):
    with pytest.raises(ValueError, match=message):
        run(**settings)


def test_missing_vocabulary(run, tiny):
    (tiny.root / "transform_fn/assets/item_id").unlink()
    with pytest.raises(ValueError, match="no vocabulary 'item_id'"):
        run()
