"""Distribution strategies by name; strategy_training_test.py trains under them."""

import json

import pydantic
import pytest
import tensorflow as tf

from ncf_model.config import TrainConfig
from ncf_model.training import strategy


@pytest.fixture(autouse=True)
def _no_cluster(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)


def _task(monkeypatch, cluster, kind, index=0):
    values = {"cluster": cluster, "task": {"type": kind, "index": index}}
    monkeypatch.setenv("TF_CONFIG", json.dumps(values))


def _make(name, **settings):
    return strategy.make_strategy(TrainConfig(strategy=name, **settings))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("one_device", tf.distribute.OneDeviceStrategy),
        ("mirrored", tf.distribute.MirroredStrategy),
        ("auto", tf.distribute.OneDeviceStrategy),
    ],
)
def test_strategies(name, kind):
    assert isinstance(_make(name), kind)


def test_unknown_strategy():
    with pytest.raises(pydantic.ValidationError, match=r"'auto', 'one_device'.* 'tpu'"):
        _make("x")


@pytest.mark.parametrize("name", ["one_device", "mirrored", "auto"])
def test_absent_gpus(name):
    with pytest.raises(ValueError, match="asks for 2, but TensorFlow sees 0 here"):
        _make(name, num_gpus=2)


def test_absent_tpu():
    with pytest.raises(
        ValueError, match=r"needs the TPU `train.tpu: local`, which"
    ) as refused:
        _make("tpu")
    assert "\n" not in str(refused.value)


def test_without_a_cluster():
    with pytest.raises(ValueError, match=r"needs TF_CONFIG to name the workers"):
        _make("multi_worker_mirrored")
    with pytest.raises(ValueError, match=r"one `chief`, .* got \{\} and"):
        _make("parameter_server")


def test_a_cluster_without_servers(monkeypatch):
    _task(monkeypatch, {"chief": ["a:1"], "worker": ["b:1", "c:1"]}, "chief")
    with pytest.raises(ValueError, match=r"got \{'chief': 1, 'worker': 2\}"):
        _make("parameter_server")


@pytest.mark.parametrize("text", ["{", "[1]", '{"task": {"index": "x"}}'])
def test_a_broken_cluster(monkeypatch, text):
    monkeypatch.setenv("TF_CONFIG", text)
    with pytest.raises(ValueError, match="TF_CONFIG is not a cluster in JSON"):
        _make("auto")


@pytest.mark.parametrize(
    ("cluster", "kind", "index", "chief"),
    [
        ({"worker": ["a:1", "b:1"]}, "worker", 0, True),
        ({"worker": ["a:1", "b:1"]}, "worker", 1, False),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "worker", 0, False),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "chief", 0, True),
        ({"chief": ["c:1"], "worker": ["a:1"]}, "evaluator", 0, False),
    ],
)
def test_chief(monkeypatch, cluster, kind, index, chief):
    _task(monkeypatch, cluster, kind, index)
    assert strategy.is_chief() == chief


def test_alone_is_chief():
    assert strategy.is_chief()


@pytest.mark.parametrize(
    ("name", "kind", "serves"),
    [
        ("auto", "ps", True),
        ("parameter_server", "worker", True),
        ("auto", "chief", False),
        ("mirrored", "worker", False),
    ],
)
def test_servers(monkeypatch, name, kind, serves):
    cluster = {"chief": ["c:1"], "worker": ["a:1"], "ps": ["p:1"]}
    _task(monkeypatch, cluster, kind)
    assert strategy.is_server(TrainConfig(strategy=name)) == serves


def test_auto_takes_servers_where_there_are_some(monkeypatch):
    _task(monkeypatch, {"worker": ["a:1"], "ps": ["p:1"]}, "worker")
    with pytest.raises(ValueError, match=r"`train\.strategy: parameter_server` needs"):
        _make("auto")
