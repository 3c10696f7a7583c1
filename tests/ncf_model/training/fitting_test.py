"""Fitting: which epoch is kept, when training stops, what the refit trains on."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from mlperf_logging.compliance_checker import mlp_compliance

from ncf_model.config import ModelConfig, SamplingConfig, TrainConfig
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import checkpoint, data, epoch_reports, fitting, progress

CONSTANT = {
    "epochs": 3,
    "batch_size": 33,
    "learning_rate": 0.05,
    "learning_rate_schedule": "constant",
}


class Lists:
    """Stands in for validation lists; returns the given metrics, epoch by epoch."""

    def __init__(self, *metrics):
        self._left = list(metrics)
        self._lists = len(metrics)

    def __len__(self):
        return self._lists

    def metrics(self):
        return self._left.pop(0)


def _fit(interactions, log_dir, lists, *, seed=0, saved=None, **train):
    """Returns the history and the final weights."""
    keras.utils.set_random_seed(seed)
    settings = ModelConfig(mf_dim=2, layers=(4, 2), dropout=0.2)
    network = model.NeuMF(settings, num_users=5, num_items=7)
    history = fitting.fit(
        network,
        interactions,
        lists,
        fitting.FitSettings(
            train=TrainConfig(**(CONSTANT | train)),
            sampling=SamplingConfig(num_negatives=2),
            seed=seed,
        ),
        log_dir=str(log_dir),
        saved=saved,
    )
    return json.loads(history.to_file()), network.get_weights()


@pytest.fixture
def interactions(tiny):
    return data.load_interactions(tiny.train)


@pytest.mark.parametrize(
    ("metrics", "best"),
    [
        ([(0.1, 0.1), (0.5, 0.1), (0.3, 0.9)], 2),
        ([(0.5, 0.1), (0.5, 0.2), (0.5, 0.1)], 2),  # NDCG decides ties.
        ([(0.5, 0.2), (0.5, 0.2), (0.4, 0.3)], 1),  # Of equals the first.
        ([(0.0, 0.0), (0.0, 0.0), (0.0, 0.0)], 1),
    ],
)
def test_best_epoch(interactions, tmp_path, metrics, best):
    history, _ = _fit(interactions, tmp_path, Lists(*metrics), refit=False)
    assert history["best_epoch"] == best
    assert [epoch["hit_rate@10"] for epoch in history["epochs"]] == [
        hit_rate for hit_rate, _ in metrics
    ]
    assert history["final_loss"] == history["epochs"][best - 1]["loss"]


def test_patience(interactions, tmp_path):
    metrics = [(0.1, 0.1), (0.3, 0.1), (0.2, 0.1), (0.3, 0.1), (0.9, 0.9)]
    lists = Lists(*metrics)
    history, _ = _fit(interactions, tmp_path, lists, epochs=5, patience=2, refit=False)
    assert len(history["epochs"]) == 4
    assert history["best_epoch"] == 2


def test_ships_the_best_epoch(interactions, tmp_path):
    one = Lists((0.5, 0.5))
    three = Lists((0.5, 0.5), (0.1, 0.1), (0.1, 0.1))
    _, first = _fit(interactions, tmp_path, one, epochs=1, refit=False)
    _, kept = _fit(interactions, tmp_path, three, epochs=3, refit=False)
    for weight, other in zip(first, kept, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_refit_is_a_training_with_the_validation_items(interactions, tmp_path):
    """Starts from the same weights, with validation items as further positives."""
    positives = interactions.positives.then(interactions.validation_items)
    none = Ragged(np.empty(0, np.int32), np.zeros(6, np.int64))
    everything = dataclasses.replace(
        interactions, positives=positives, validation_items=none
    )
    lists = Lists((0.1, 0.1), (0.5, 0.5), (0.1, 0.1))
    history, refitted = _fit(interactions, tmp_path, lists)
    _, expected = _fit(everything, tmp_path, Lists(), epochs=2, refit=False)
    assert history["refit"]["epochs"] == 2
    assert history["final_loss"] == history["refit"]["loss"]
    for weight, other in zip(refitted, expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_refit_follows_the_same_learning_rates(interactions, tmp_path):
    """In epoch 2, a cosine over 2 epochs is near 0, and one over 50 is not."""
    runs = []
    for epochs in (2, 50):
        lists = Lists((0.1, 0.1), (0.5, 0.5), *[(0.0, 0.0)] * (epochs - 2))
        _, weights = _fit(
            interactions,
            tmp_path,
            lists,
            epochs=epochs,
            batch_size=3,
            learning_rate_schedule="cosine",
        )
        runs.append(weights)
    assert not np.allclose(runs[0][0], runs[1][0], atol=1e-3)


def test_without_validation_lists_all_epochs_count(interactions, tmp_path):
    history, _ = _fit(interactions, tmp_path, Lists(), patience=1)
    assert history["best_epoch"] == 3
    assert "hit_rate@10" not in history["epochs"][0]
    assert history["refit"]["epochs"] == 3


def test_nothing_held_out_nothing_to_refit(interactions, tmp_path):
    none = Ragged(np.empty(0, np.int32), np.zeros(6, np.int64))
    nothing = dataclasses.replace(interactions, validation_items=none)
    history, weights = _fit(nothing, tmp_path, Lists())
    _, expected = _fit(nothing, tmp_path, Lists(), refit=False)
    assert history["refit"] is None
    for weight, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_evaluation_items_never_matter(interactions, tmp_path):
    sizes = interactions.eval_items.offsets
    other = dataclasses.replace(
        interactions,
        eval_items=Ragged(np.zeros_like(interactions.eval_items.values), sizes),
    )
    both = Lists((0.5, 0.5)), Lists((0.5, 0.5))
    _, weights = _fit(interactions, tmp_path, both[0], epochs=1)
    _, others = _fit(other, tmp_path, both[1], epochs=1)
    for weight, same in zip(weights, others, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_the_seed_decides(interactions, tmp_path):
    runs = [
        _fit(interactions, tmp_path, Lists((0.5, 0.5)), epochs=1, seed=seed)
        for seed in (1, 1, 2)
    ]
    losses = [history["final_loss"] for history, _ in runs]
    assert losses[0] == losses[1] != losses[2]
    for first, second in zip(runs[0][1], runs[1][1], strict=True):
        np.testing.assert_array_equal(first, second)


def test_tells_how_far_it_is(interactions, tmp_path):
    events = []
    progress.observers.append(events.append)
    try:
        _fit(interactions, tmp_path, Lists((0.25, 0.1), (0.5, 0.2)), epochs=2)
    finally:
        progress.observers.remove(events.append)
    last = [event for event in events if event.fraction == 1.0]
    assert [(event.phase, event.epoch, event.epochs) for event in last] == [
        ("train", 1, 2),
        ("train", 2, 2),
        ("refit", 1, 2),
        ("refit", 2, 2),
    ]
    assert [event.hit_rate for event in last] == [None, 0.25, None, None]
    assert all(event.loss > 0 and event.examples_per_second > 0 for event in last)


def test_hit_rate_target(interactions, tmp_path):
    lists = Lists((0.1, 0.1), (0.6, 0.1), (0.9, 0.9))
    history, _ = _fit(interactions, tmp_path, lists, hit_rate_target=0.6, refit=False)
    assert len(history["epochs"]) == 2
    assert history["best_epoch"] == 2


def test_a_batch_must_fit_into_the_data(interactions, tmp_path):
    _fit(interactions, tmp_path, Lists(), epochs=1, batch_size=35)
    with pytest.raises(ValueError, match=r"has 11 positives and 33 rows .* got 36\."):
        _fit(interactions, tmp_path, Lists(), epochs=1, batch_size=36)


class Killed(Exception):
    """Stands in for the kill of the process."""


@pytest.mark.parametrize(
    "moment",
    [
        ("train", 1, 0.0),
        ("train", 3, 1.0),
        ("refit", 2, 0.0),
    ],
)
def test_goes_on_after_a_kill(interactions, tmp_path, monkeypatch, moment):
    """Killed at any moment, training resumes and ends with the very same weights."""
    metrics = [(0.1, 0.1), (0.5, 0.5), (0.2, 0.2)]
    settings = {"learning_rate_schedule": "cosine", "batch_size": 6}
    expected = _fit(interactions, tmp_path, Lists(*metrics), **settings)
    saved = checkpoint.Checkpoint(str(tmp_path / "checkpoints"), "it")

    def kill(event):
        if (event.phase, event.epoch) == moment[:2] and event.fraction >= moment[2]:
            raise Killed

    monkeypatch.setattr(epoch_reports, "_SECONDS_BETWEEN_EVENTS", 0)
    monkeypatch.setattr(progress, "observers", [kill])
    lists = Lists(*metrics)
    with pytest.raises(Killed):
        _fit(interactions, tmp_path, lists, saved=saved, **settings)
    assert (saved.load() is None) == (moment[1] == 1 and moment[0] == "train")
    monkeypatch.setattr(progress, "observers", [])
    if lists._left and moment[0] == "train":
        lists = Lists(*metrics[moment[1] - 1 :])
    history, weights = _fit(interactions, tmp_path, lists, saved=saved, **settings)
    for key in ("epoch", "loss", "hit_rate@10"):
        assert [e[key] for e in history["epochs"]] == [
            e[key] for e in expected[0]["epochs"]
        ]
    assert history["best_epoch"] == expected[0]["best_epoch"]
    assert history["refit"]["loss"] == expected[0]["refit"]["loss"]
    for weight, other in zip(weights, expected[1], strict=True):
        np.testing.assert_array_equal(weight, other)


def test_pretraining(interactions, tmp_path):
    """NeuMF and its refit both start from the trained halves GMF and MLP."""
    phases = []
    observers = [lambda event: phases.append((event.phase, event.epoch))]
    saved = checkpoint.Checkpoint(str(tmp_path / "checkpoints"), "it")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(progress, "observers", observers)
        history, _ = _fit(
            interactions,
            tmp_path,
            Lists((0.1, 0.1)),
            epochs=1,
            pretrain_epochs=2,
            learning_rate=0.01,
            saved=saved,
        )
    halves = [("gmf", 1), ("gmf", 2), ("mlp", 1), ("mlp", 2)]
    assert phases == [*halves, ("train", 1), ("refit", 1)]
    assert set(history["pretraining"]) == {"gmf", "mlp"}
    assert history["pretraining"]["gmf"]["epoch"] == 2
    without, _ = _fit(
        interactions,
        tmp_path,
        Lists((0.1, 0.1)),
        epochs=1,
        learning_rate=0.01,
    )
    assert history["epochs"][0]["loss"] < without["epochs"][0]["loss"]
    assert "pretraining" not in without


def test_mlperf_lines(interactions, tmp_path):
    lists = Lists((0.1, 0.1), (0.7, 0.1), (0.9, 0.9))
    _fit(interactions, tmp_path, lists, hit_rate_target=0.635, mlperf_log=True)
    lines = [
        json.loads(line.removeprefix(":::MLLOG "))
        for line in (tmp_path / "mlperf.log").read_text().splitlines()
    ]
    keys = [line["key"] for line in lines]
    epoch = ["epoch_start", "epoch_stop", "eval_start", "eval_accuracy", "eval_stop"]
    first = keys.index("run_start")
    assert keys[0] == "submission_benchmark"
    assert keys[first - 2 :] == [
        *["init_start", "init_stop", "run_start"],
        *epoch,
        *epoch,
        "run_stop",
    ]
    accuracies = [line["value"] for line in lines if line["key"] == "eval_accuracy"]
    assert accuracies == [0.1, 0.7]
    assert lines[-1]["metadata"]["status"] == "success"
    assert lines[-1]["metadata"]["file"].endswith("fitting.py")
    samples = {x["key"]: x["value"] for x in lines if x["key"].endswith("_samples")}
    # There are 11 positives with two negatives each, and three validation lists.
    assert samples == {"train_samples": 33, "eval_samples": 3}
    missing = "Required AT_LEAST_ONE occurrence of 'cache_clear' but found 0"
    assert _complaints(tmp_path / "mlperf.log", tmp_path) == [missing]


def _complaints(log, folder):
    """Returns the complaints of MLPerf's checker about a log.

    The rules are those of 0.7, the first for lines of this form. That version dropped
    NCF, so its list of benchmarks is not checked.
    """
    own = pathlib.Path(mlp_compliance.__file__).parent / "training_0.7.0/common.yaml"
    rules = own.read_text().replace("v['value'] in ['resnet',", "v['value'] in ['ncf',")
    assert rules != own.read_text()
    file = folder / "rules.yaml"
    kept = [line for line in rules.splitlines() if "enqueue_config" not in line]
    file.write_text("\n".join(kept))
    checker = mlp_compliance.make_checker("training", "0.7.0", False, False)
    mlp_compliance.main(str(log), str(file), checker)
    return [*checker.overwritable.values(), *checker.not_overwritable]


def test_no_two_trainings_draw_the_same_rows(interactions, tmp_path, monkeypatch):
    drawn = []
    draw = data.EpochRows.draw

    def noted(self, epoch):
        drawn.append(epoch)
        return draw(self, epoch)

    monkeypatch.setattr(data.EpochRows, "draw", noted)
    _fit(interactions, tmp_path, Lists((0.1, 0.1)), epochs=1, pretrain_epochs=2)
    # Epochs of GMF, MLP and then the training; the refit repeats the training's.
    assert drawn == [1, 2, 3, 4, 0, 0]
    train = TrainConfig(epochs=1, pretrain_epochs=2)
    assert train.epochs_of_rows == 5  # Materialised rows must have 5 epochs.
