"""A search, from records on disk to the best hyperparameters and their training."""

import json
import types

import pytest

from ncf_model import trainer, tuner


def _fn_args(tiny, tmp_path, **tune):
    space = {"train.epochs": [1, 2]}
    return types.SimpleNamespace(
        train_files=tiny.train,
        eval_files=tiny.validation,
        transform_graph_path=str(tiny.root),
        serving_model_dir=str(tmp_path / "serving"),
        model_run_dir=str(tmp_path / "run"),
        custom_config={
            "model": {"mf_dim": 2, "layers": [4, 2]},
            "train": {"epochs": 2, "batch_size": 10, "jit_compile": False},
            "sampling": {"num_negatives": 2},
            "seed": 3,
            "checkpoints": str(tmp_path / "checkpoints"),
            "tuning": str(tmp_path / "tuning"),
            "tune": {"trials": 2, "processes": 1, "space": space} | tune,
        },
    )


def test_searches_and_goes_on(tiny, tmp_path):
    found = tuner.tuner_fn(_fn_args(tiny, tmp_path))
    found.tuner.search(**found.fit_kwargs)
    assert {trial.status for trial in found.tuner.oracle.trials.values()} == {
        "COMPLETED"
    }
    best = found.tuner.get_best_hyperparameters()[0].get_config()["values"]
    assert best.keys() == {"train.epochs"}
    # The same search goes on with the trials that are done; another starts anew.
    again = tuner.tuner_fn(_fn_args(tiny, tmp_path, trials=5))
    assert len(again.tuner.oracle.trials) == 2
    other = tuner.tuner_fn(_fn_args(tiny, tmp_path, objective="ndcg@10"))
    assert not other.tuner.oracle.trials
    # If the search's file was cut off, the search starts anew.
    (state,) = (tmp_path / "tuning").glob("*/oracle.json")
    state.write_text('{"ongoing_tri')
    anew = tuner.tuner_fn(_fn_args(tiny, tmp_path))
    assert not anew.tuner.oracle.trials


def test_trainer_trains_with_what_was_found(tiny, tmp_path):
    fn_args = _fn_args(tiny, tmp_path)
    fn_args.hyperparameters = {
        "space": [],
        "values": {"train.epochs": 1, "model.layers": "[6, 2]"},
    }
    trainer.run_fn(fn_args)
    history = json.loads((tmp_path / "run/history.json").read_text())
    assert len(history["epochs"]) == 1
    assert history["tuned"] == {"train.epochs": 1, "model.layers": [6, 2]}


def test_no_validation_list(tiny, tmp_path, records):
    records.write(tiny.root / "Split-validation/data_tfrecord-00000-of-00001.gz", [])
    with pytest.raises(ValueError, match="Tuning needs validation items"):
        tuner.tuner_fn(_fn_args(tiny, tmp_path))
