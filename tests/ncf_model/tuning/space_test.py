"""The search space: its fields, and how their values change a configuration."""

import pytest

from ncf_model import config
from ncf_model.tuning import space
from ncf_model.tuning.config import Range, TuneConfig


def _custom(**model):
    settings = config.ModelConfig(**model)
    return {
        "model": settings.model_dump(mode="json"),
        "train": config.TrainConfig().model_dump(mode="json"),
        "sampling": config.SamplingConfig().model_dump(mode="json"),
        "seed": 1,
    }


def _of(values, **sampling):
    tune = TuneConfig(space=values)
    return space.of(tune, config.ModelConfig(), config.SamplingConfig(**sampling))


def test_values_take_the_place_of_the_configurations():
    custom = _custom(mf_dim=8)
    values = {
        "model.layers": "[16, 8]",
        "model.mlp_regularization": 0.5,  # The field has a list.
        "train.epochs": 3,
    }
    changed = space.apply(custom, values)
    assert changed["model"]["layers"] == [16, 8]
    assert changed["model"]["mlp_regularization"] == [0.5]
    assert changed["train"]["epochs"] == 3
    assert changed["model"]["mf_dim"] == 8
    assert custom["train"]["epochs"] == 15  # `custom` itself is unchanged.


def test_the_configurations_own_value_is_one_of_them():
    custom = _custom(mf_dim=8, layers=(6, 4))
    fields = space.start(
        {
            "model.mf_dim": (4, 16),
            "model.layers": ((8, 4), (16, 8)),
            "model.mlp_regularization": (0.0, 0.1),
            "train.learning_rate": Range(min=0.01, max=0.1, log=True),
        },
        custom,
    )
    assert fields == {
        "model.mf_dim": ((4, 8, 16), 8),
        "model.layers": (("[8, 4]", "[16, 8]", "[6, 4]"), "[6, 4]"),
        "model.mlp_regularization": ((0.0, 0.1), 0.0),
        "train.learning_rate": (Range(min=0.007, max=0.1, log=True), 0.007),
    }


def test_a_value_without_a_place_in_its_range():
    custom = _custom(mf_dim=8)
    values = {"model.mf_regularization": Range(min=1e-6, max=1e-2, log=True)}
    with pytest.raises(ValueError, match=r"place for its value, 0.0. Give a list"):
        space.start(values, custom)


@pytest.mark.parametrize(
    "name", ["seed", "data.dataset", "train.refit", "sampling.eval_negatives"]
)
def test_fields_that_decide_what_trials_are_evaluated_on(name):
    with pytest.raises(ValueError, match=f"change what is learned; got '{name}'"):
        _of({name: (1, 2)})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"train.lr": (1, 2)}, "'train.lr' is none"),
        ({"model.history": (1, 2)}, "'model.history', which is no single field"),
        ({"train.epochs": (3, 0)}, "impossible value of `train.epochs`, 0"),
        ({"train.beta1": Range(min=0.5, max=1.5)}, "value of `train.beta1`, 1.5"),
    ],
)
def test_what_cannot_be(values, message):
    with pytest.raises(ValueError, match=message):
        space.check(values, _custom())


def test_rows_that_are_written_before_cannot_be_searched():
    materialised = {"mode": "materialised"}
    with pytest.raises(ValueError, match=r"`train.epochs` cannot be searched"):
        _of({"train.epochs": (3, 4)}, **materialised)
    pairs = config.ModelConfig(history=None)
    found = space.of(TuneConfig(), pairs, config.SamplingConfig(**materialised))
    assert "train.learning_rate" in found
    assert found.keys().isdisjoint({"train.epochs", "sampling.num_negatives"})


@pytest.mark.parametrize("history", [None, config.HistoryConfig()])
def test_the_own_spaces_are_possible(history):
    model = config.ModelConfig(history=history)
    found = space.of(TuneConfig(), model, config.SamplingConfig())
    custom = _custom(**model.model_dump(include={"history"}))
    space.check(found, custom)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"min": 2, "max": 2}, "`min` must be below `max`; got 2, 2"),
        ({"min": 0, "max": 2, "log": True}, "`min` must be above 0; got 0"),
    ],
)
def test_impossible_ranges(values, message):
    with pytest.raises(ValueError, match=message):
        Range(**values)
