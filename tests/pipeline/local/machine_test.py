"""A strategy that cannot work on this machine is refused before a run."""

import pytest
from typer import testing

from ncf_model.config import TrainConfig
from pipeline import cli
from pipeline.local import machine


@pytest.fixture(autouse=True)
def _no_cluster_and_no_tpu(monkeypatch, tmp_path):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    monkeypatch.setattr(machine, "_TPUS", (f"{tmp_path}/accel[0-9]*",))


@pytest.mark.parametrize("strategy", ["multi_worker_mirrored", "parameter_server"])
def test_a_cluster_is_named_by_tf_config(monkeypatch, strategy):
    train = TrainConfig(strategy=strategy)
    with pytest.raises(ValueError, match="needs TF_CONFIG"):
        machine.require(train)
    monkeypatch.setenv("TF_CONFIG", "{}")
    machine.require(train)


def test_a_local_tpu_is_a_device(tmp_path):
    train = TrainConfig(strategy="tpu")
    with pytest.raises(ValueError, match="needs a TPU of this machine"):
        machine.require(train)
    machine.require(TrainConfig(strategy="tpu", tpu="my-tpu"))
    (tmp_path / "accel0").touch()
    machine.require(train)


@pytest.mark.parametrize("strategy", ["auto", "mirrored", "one_device"])
def test_other_strategies_work_everywhere(strategy):
    machine.require(TrainConfig(strategy=strategy))


def test_the_run_does_not_begin(tmp_path):
    data = tmp_path / "d.csv"
    data.write_text("user,item\n" + "".join(f"u{n % 9},i{n % 7}\n" for n in range(99)))
    out = tmp_path / "out"
    command = ["run", str(data), "--out", str(out), "--set", "train.strategy=tpu"]
    command += ["--set", "model.history=null"]
    refused = testing.CliRunner().invoke(cli.app, command)
    assert refused.exit_code == 2
    assert "needs a TPU of this machine" in " ".join(refused.output.split())
    assert not out.exists()
