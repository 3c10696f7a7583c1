"""`ncf train`: from files of the official NCF's form to an evaluated model."""

import json

import keras
import numpy as np
import pytest
from typer import testing

from components.negative_sampling.plan import Plan
from ncf_model.network import model
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data, fitting, validation
from pipeline import config as config_module
from pipeline.cli import app
from pipeline.offline import indexed, official_reader, rows, train

SETTINGS = [
    "seed=5",
    "sampling.num_negatives=3",
    "sampling.eval_negatives=4",
    "model.mf_dim=2",
    "model.layers=[4, 2]",
    "train.epochs=2",
    "train.batch_size=8",
    "train.learning_rate=0.05",
]


@pytest.fixture
def samples(dataset, tmp_path, write_samples):
    write_samples(dataset, tmp_path / "samples")
    return tmp_path / "samples"


def _source(samples):
    return train.Source(
        train_dataset_path=str(samples / "training_cycle_*/*"),
        eval_dataset_path=str(samples / "eval_data/*"),
        input_meta_data_path=str(samples / "metadata.json"),
    )


def _train(samples, output, *settings):
    config = config_module.load(None, [*SETTINGS, *settings])
    epochs = train.train(config, _source(samples), output)
    return [epoch.model_dump(by_alias=True, exclude_unset=True) for epoch in epochs]


def _in_pipeline(dataset, log_dir):
    """Trains as the pipeline does, which samples negatives itself; same lists."""
    config = config_module.load(None, SETTINGS)
    found = indexed.read(str(dataset.path), config.data.reading())
    plan = Plan(
        config=config.sampling, epochs=2, refit=False, seed=5, num_items=7, num_users=4
    )
    (lists,) = rows.lists(found, plan, "eval")
    none = Ragged(np.empty(0, np.int32), np.zeros(5, np.int64))
    interactions = data.Interactions(
        found.users.user_ids,
        found.users.user_index.astype(np.int32),
        rows.epoch_rows(found, plan).positives,
        none,
        none,
    )
    keras.utils.set_random_seed(5)
    network = model.NeuMF(config.model, num_users=4, num_items=7)
    users = {user: index for index, user in enumerate(found.users.user_ids)}
    items = {item: index for index, item in enumerate(found.item_ids)}
    lists = validation.Validation(
        network,
        [found.users.user_ids[user] for user in lists.users],
        [
            [found.item_ids[item] for item in row[~masked]]
            for row, masked in zip(lists.items, lists.masked, strict=True)
        ],
        users=users,
        items=items,
    )
    settings = fitting.FitSettings(train=config.train, sampling=config.sampling, seed=5)
    history = fitting.fit(network, interactions, lists, settings, log_dir=str(log_dir))
    return json.loads(history.to_file())["epochs"]


def test_trains_as_the_pipeline_does_on_the_same_rows(dataset, samples, tmp_path):
    history = _train(samples, tmp_path / "out")
    expected = _in_pipeline(dataset, tmp_path / "logs")
    names = ("epoch", "loss", "hit_rate@10", "ndcg@10")
    assert [[r[n] for n in names] for r in history] == [
        [r[n] for n in names] for r in expected
    ]
    assert history[0]["loss"] > history[1]["loss"]


def test_saves_the_model_of_the_last_epoch_and_the_history(samples, tmp_path):
    history = _train(samples, tmp_path / "out")
    saved = json.loads((tmp_path / "out" / "history.json").read_text())
    assert saved == {"epochs": history}
    network = keras.saving.load_model(tmp_path / "out" / "model.keras")
    assert (network.num_users, network.num_items) == (4, 7)
    lists = official_reader.read_lists(
        str(samples / "eval_data/*"),
        official_reader.read_metadata(str(samples / "metadata.json")),
    )
    scores = np.array(network((lists.users[:, np.newaxis], lists.items)))
    scores[lists.masked] = -np.inf
    ranks = (scores[:, 1:] >= scores[:, :1]).sum(axis=1)
    ndcg = np.mean(1 / np.log2(ranks + 2))
    assert history[1]["ndcg@10"] == pytest.approx(ndcg)


def test_stops_at_the_target(samples, tmp_path):
    history = _train(samples, tmp_path / "out", "train.hit_rate_target=0.001")
    assert len(history) == 1


def test_fewer_epochs_take_the_first_folders(samples, tmp_path):
    constant = "train.learning_rate_schedule=constant"
    both = _train(samples, tmp_path / "two", constant)
    (one,) = _train(samples, tmp_path / "one", constant, "train.epochs=1")
    assert one["loss"] == both[0]["loss"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["train.epochs=3"], "each of 3 epochs; `train_dataset_path` matches 2"),
        (["train.patience=1"], "`train.patience` must not be set.*got 1"),
        (["train.pretrain_epochs=1"], "works in `ncf run` only; got 1"),
    ],
)
def test_refuses(samples, tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        _train(samples, tmp_path / "out", *settings)
    assert not (tmp_path / "out").exists()


def test_output_must_be_new_or_empty(samples):
    with pytest.raises(ValueError, match="must be a new or empty folder"):
        _train(samples, samples)


def test_command(samples, tmp_path, capfd):
    flags = {
        "--train-dataset-path": samples / "training_cycle_*/*",
        "--eval-dataset-path": samples / "eval_data/*",
        "--input-meta-data-path": samples / "metadata.json",
        "--output": tmp_path / "out",
    }
    arguments = [str(part) for pair in flags.items() for part in pair]
    sets = [part for setting in SETTINGS for part in ("--set", setting)]
    done = testing.CliRunner().invoke(app, ["train", *arguments, *sets])
    assert done.exit_code == 0, done.output
    # The epochs are shown on the terminal itself, below Python's streams.
    lines = capfd.readouterr().out.splitlines()
    assert lines[-2].startswith("epoch 1: loss 0.")
    assert "HR@10 1.0000 NDCG@10 0." in lines[-1]
    assert done.stdout.splitlines() == [str(tmp_path / "out" / "model.keras")]
    again = testing.CliRunner().invoke(app, ["train", *arguments, *sets])
    assert again.exit_code == 2
