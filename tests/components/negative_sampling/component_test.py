import pydantic
import pytest
from tfx import types
from tfx.types import standard_artifacts

from components.negative_sampling import component
from ncf_model.config import SamplingConfig


def _component(**changes):
    arguments = {
        "sampling": SamplingConfig(),
        "epochs": 20,
        "refit": True,
        "seed": 42,
    } | changes
    return component.NegativeSampling(
        examples=types.Channel(type=standard_artifacts.Examples),
        transform_graph=types.Channel(type=standard_artifacts.TransformGraph),
        **arguments,
    )


def test_settings_travel_as_json():
    sampling = SamplingConfig(mode="materialised", eval_negatives=999)
    properties = _component(sampling=sampling).spec.exec_properties
    assert SamplingConfig.model_validate_json(properties["sampling"]) == sampling
    assert [properties[name] for name in ("epochs", "refit", "seed")] == [20, 1, 42]


def test_epochs_do_not_matter_in_streaming_mode():
    one, other = (
        _component(epochs=epochs, refit=refit).spec.exec_properties
        for epochs, refit in ((1, True), (20, False))
    )
    assert one == other


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "`epochs` must be 1 or more; got 0"),
        ({"seed": -1}, "`seed` must be in"),
        ({"seed": 1 << 63}, "`seed` must be in"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        _component(**changes)


@pytest.mark.parametrize("seed", [0, (1 << 63) - 1])
def test_seeds_at_the_limits(seed):
    assert _component(seed=seed, epochs=1).spec.exec_properties["seed"] == seed


@pytest.mark.parametrize("name", ["num_negatives", "eval_negatives"])
def test_one_negative_is_the_least(name):
    _component(sampling=SamplingConfig(**{name: 1}))
    with pytest.raises(pydantic.ValidationError, match=name):
        SamplingConfig(**{name: 0})
