"""From records on disk to a SavedModel and a history."""

import contextlib
import dataclasses
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import types

import numpy as np
import pytest
import tensorflow as tf
from absl import logging

from ncf_model import trainer

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _fn_args(tiny, tmp_path, *, model=None, train=None, sampling=None):
    """Returns the arguments that TFX hands to `run_fn`."""
    return {
        "train_files": tiny.train,
        "eval_files": tiny.validation,
        "transform_graph_path": str(tiny.root),
        "serving_model_dir": str(tmp_path / "serving"),
        "model_run_dir": str(tmp_path / "run"),
        "custom_config": {
            "model": {"mf_dim": 2, "layers": [4, 2]} | (model or {}),
            "train": {"epochs": 2, "batch_size": 10} | (train or {}),
            "sampling": {"num_negatives": 2} | (sampling or {}),
            "seed": 3,
            "checkpoints": str(tmp_path / "checkpoints"),
        },
    }


@pytest.fixture
def run(tiny, tmp_path):
    """Returns a function that trains and returns the history."""

    def train(**settings):
        fn_args = _fn_args(tiny, tmp_path, **settings)
        trainer.run_fn(types.SimpleNamespace(**fn_args))
        return json.loads((tmp_path / "run" / "history.json").read_text())

    return train


def test_trains_validates_refits_and_exports(run, tmp_path):
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
    assert set(loaded.signatures) == {
        *("serving_default", "recommend", "evaluate"),
        *("history", "similar_items"),
    }
    assert list((tmp_path / "run" / "train").glob("events.out.tfevents.*"))
    assert list((tmp_path / "run" / "refit").glob("events.out.tfevents.*"))


@pytest.mark.parametrize(
    "model", [{"mf_dim": 2, "layers": [4, 2]}, {"history": {"factors": 4}}]
)
def test_the_export_is_checked_against_what_a_user_without_training_gets(
    tiny, tmp_path, model
):
    """User 007 has no training record, like users who are held out or new."""
    for file in tf.io.gfile.glob(tiny.train):
        records = list(tf.data.TFRecordDataset([file], "GZIP").as_numpy_iterator())
        with tf.io.TFRecordWriter(file, "GZIP") as writer:
            for record in records:
                if b"007" not in record:
                    writer.write(record)
    fn_args = _fn_args(tiny, tmp_path, train={"refit": False})
    fn_args["custom_config"]["model"] = model
    trainer.run_fn(types.SimpleNamespace(**fn_args))
    said = json.loads((tmp_path / "run" / "probe.json").read_text())
    loaded = tf.saved_model.load(str(tmp_path / "serving"))
    scores = loaded.signatures["serving_default"](
        user_id=tf.constant(said["user_ids"]), item_id=tf.constant(said["item_ids"])
    )["score"]
    assert "007" in said["user_ids"]
    np.testing.assert_allclose(scores, said["scores"], atol=1e-5)
    if "history" in model:
        asked = {"item_ids": tf.constant([[b"i0"]]), "k": tf.constant(3)}
        found = loaded.signatures["recommend_for_items"](**asked)
        assert np.isfinite(found["scores"]).all()


@pytest.mark.parametrize(
    ("on_tpu", "jit_compile", "expected"),
    [(False, True, True), (False, False, False), (True, True, False)],
)
def test_validation_is_compiled_where_xla_is(
    run, monkeypatch, on_tpu, jit_compile, expected
):
    class Asked(Exception):
        pass

    def on(*args, jit_compile, **kwargs):
        raise Asked(jit_compile)

    monkeypatch.setattr(trainer.validation.Validation, "on", on)
    if on_tpu:
        # Machines that run tests have no TPU, so one_device stands in for its strategy.
        one_device = tf.distribute.OneDeviceStrategy
        monkeypatch.setattr(tf.distribute, "TPUStrategy", one_device)
    with pytest.raises(Asked, match=str(expected)):
        run(train={"jit_compile": jit_compile})


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


_PROCESS = """
import json, os, signal, sys, types
from absl import logging
from ncf_model import trainer
from ncf_model.training import progress

def kill(event):
    if (event.phase, event.epoch) == (sys.argv[2], int(sys.argv[3])):
        os.kill(os.getpid(), signal.SIGKILL)

logging.set_verbosity(logging.INFO)
if len(sys.argv) > 2:
    progress.observers.append(kill)
trainer.run_fn(types.SimpleNamespace(**json.loads(sys.argv[1])))
"""


def _process(fn_args, *kill, tf_config=None):
    env = os.environ | {"PYTHONPATH": str(ROOT)}
    env.pop("TF_CONFIG", None)
    if tf_config:
        env["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, "-c", _PROCESS, json.dumps(fn_args), *map(str, kill)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _weights(folder):
    reader = tf.train.load_checkpoint(str(folder / "serving/variables/variables"))
    names = sorted(reader.get_variable_to_dtype_map())
    return [reader.get_tensor(name) for name in names if "OBJECT_GRAPH" not in name]


def test_goes_on_after_sigkill(tiny, tmp_path, run):
    """A run killed in training and in the refit ends with the model of one unkilled."""
    train = {"epochs": 3, "learning_rate_schedule": "cosine", "refit": True}
    never = tmp_path / "never"
    expected_args = _fn_args(tiny, never, train=train)
    trainer.run_fn(types.SimpleNamespace(**expected_args))
    expected = json.loads((never / "run/history.json").read_text())

    fn_args = _fn_args(tiny, tmp_path, train=train)
    for kill in (("train", 3), ("refit", 1)):
        process = _process(fn_args, *kill)
        output, _ = process.communicate(timeout=300)
        assert process.returncode == -signal.SIGKILL, output
        assert not (tmp_path / "serving").exists()
    process = _process(fn_args)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output
    assert "3 epochs and 0 of the refit are done" in output
    history = json.loads((tmp_path / "run/history.json").read_text())
    for key in ("loss", "hit_rate@10", "ndcg@10"):
        values = [epoch[key] for epoch in history["epochs"]]
        assert values == [epoch[key] for epoch in expected["epochs"]]
    assert history["refit"]["loss"] == expected["refit"]["loss"]
    for weight, other in zip(_weights(tmp_path), _weights(never), strict=True):
        np.testing.assert_array_equal(weight, other)
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_another_training_does_not_go_on(tiny, tmp_path):
    fn_args = _fn_args(tiny, tmp_path)
    process = _process(fn_args, "train", 2)
    process.communicate(timeout=300)
    (left,) = (tmp_path / "checkpoints").iterdir()
    other = _fn_args(tiny, tmp_path, train={"learning_rate": 0.5})
    trainer.run_fn(types.SimpleNamespace(**other))
    history = json.loads((tmp_path / "run/history.json").read_text())
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1, 2]
    assert list((tmp_path / "checkpoints").iterdir()) == [left]


def test_a_checkpoint_is_of_all_that_decides(tiny, monkeypatch):
    """A checkpoint's name depends on rows, lists, vocabularies and the code."""
    interactions = trainer.data.load_interactions(tiny.train)
    custom = {"model": {}, "train": {}, "sampling": {}, "seed": 1, "checkpoints": "c"}
    vocabularies = tiny.vocabularies
    items = pathlib.Path(vocabularies["item_vocabulary"])
    known = items.read_bytes()

    def name(lists=([b"a"], [[b"i0", b"i1"]]), of=interactions):
        return trainer._checkpoint(custom, of, lists, vocabularies).path

    paths = [name(), name(([b"b"], [[b"i0", b"i1"]])), name(([b"a"], [[b"i0", b"i2"]]))]
    for other in (known + b"new\n", known.replace(b"i0", b"j0")):
        items.write_bytes(other)
        paths.append(name())
    items.write_bytes(known)
    assert name() == paths[0]
    monkeypatch.setattr(trainer.checkpoint, "code_digest", lambda: "edited")
    paths.append(name())
    # Other positives, validation items and negatives of the same lengths.
    known = interactions.positives
    other = dataclasses.replace(known, values=known.values[::-1].copy())
    for changes in (
        *({"positives": other}, {"validation_items": other}, {"negatives": other}),
        {"negatives": other, "refit_negatives": other},
        {"user_index": interactions.user_index + 1},
    ):
        changed = dataclasses.replace(interactions, **changes)
        paths.append(name(of=changed))
    assert len(set(paths)) == 11


def test_only_the_chief_of_two_machines_writes(tiny, tmp_path):
    """Each has its own folder here, which shows the files that it wrote."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        ports = [one.getsockname()[1] for one in sockets]
    cluster = {"worker": [f"127.0.0.1:{port}" for port in ports]}
    folders = [tmp_path / "first", tmp_path / "second"]
    pretrain = {"pretrain_epochs": 1}
    train = {"strategy": "multi_worker_mirrored"} | pretrain
    processes = [
        _process(
            _fn_args(tiny, folder, train=train),
            tf_config={"cluster": cluster, "task": {"type": "worker", "index": index}},
        )
        for index, folder in enumerate(folders)
    ]
    for process in processes:
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 0, output
    assert {path.name for path in folders[0].iterdir()} == {
        *("serving", "run", "checkpoints")
    }
    assert not folders[1].exists()
    alone_args = _fn_args(tiny, tmp_path, train=pretrain)
    trainer.run_fn(types.SimpleNamespace(**alone_args))
    alone, together = (
        json.loads((folder / "run/history.json").read_text())
        for folder in (tmp_path, folders[0])
    )
    assert together["final_loss"] == pytest.approx(alone["final_loss"], rel=1e-4)
