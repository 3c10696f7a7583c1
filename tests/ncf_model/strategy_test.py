"""Strategies by name; two real replicas are in training_loop_test.py."""

import pytest
import tensorflow as tf

from ncf_model import strategy


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("one_device", tf.distribute.OneDeviceStrategy),
        ("mirrored", tf.distribute.MirroredStrategy),
    ],
)
def test_strategies(name, kind):
    assert isinstance(strategy.make_strategy(name), kind)


def test_unknown_strategy():
    with pytest.raises(
        ValueError, match=r"one of \['mirrored', 'one_device'\]; got 'x'"
    ):
        strategy.make_strategy("x")
