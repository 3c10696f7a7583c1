"""A TFJob's training with two pods, run as two processes."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

import yaml

from pipeline import config as config_module
from pipeline.kfp import config as kfp_config
from pipeline.tfjob import manifest

ROOT = pathlib.Path(__file__).resolve().parents[2]


def _free_addresses(count):
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [f"127.0.0.1:{one.getsockname()[1]}" for one in sockets]


def test_two_pods_train_one_model(tiny, tmp_path):
    """Runs the container's command with the TF_CONFIG that the operator would set."""
    settings = ["train.epochs=1", "train.batch_size=10", "model.mf_dim=2"]
    text = manifest.manifest(
        config_module.load(None, [*settings, "model.layers=[4,2]"]),
        kfp_config.load(
            None,
            serving=str(tmp_path / "serving"),
            volumes=[{"claim": "ncf", "mount_path": str(tmp_path)}],
        ),
        name="ncf-train",
        workers=2,
        examples=str(tmp_path / "examples"),
        transform_graph=str(tmp_path / "graph"),
        output=str(tmp_path / "out"),
    )
    worker = yaml.safe_load(text)["spec"]["tfReplicaSpecs"]["Worker"]
    (container,) = worker["template"]["spec"]["containers"]
    (tmp_path / "examples").symlink_to(tiny.root)
    (tmp_path / "graph").symlink_to(tiny.root)
    addresses = _free_addresses(2)
    pods = [
        subprocess.Popen(
            [sys.executable, *container["command"][1:], *container["args"]],
            env=os.environ
            | {
                "PYTHONPATH": str(ROOT),
                "TF_CONFIG": json.dumps(
                    {
                        "cluster": {"worker": addresses},
                        "task": {"type": "worker", "index": index},
                        "environment": "cloud",
                    }
                ),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for index in range(2)
    ]
    for pod in pods:
        output, _ = pod.communicate(timeout=300)
        assert pod.returncode == 0, output
    assert (tmp_path / "out/model/Format-Serving/saved_model.pb").exists()
    history = json.loads((tmp_path / "out/model_run/history.json").read_text())
    assert [epoch["epoch"] for epoch in history["epochs"]] == [1]
