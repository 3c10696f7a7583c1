"""Every strategy that a CPU can run trains as one device does, in real processes."""

import contextlib
import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

HERE = pathlib.Path(__file__).parent
PROCESS = HERE / "training_process.py"


def _ports(count):
    """Returns ports that are free now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def _start(arguments, tf_config=None):
    env = os.environ | {"PYTHONPATH": str(HERE.parents[2]), "CUDA_VISIBLE_DEVICES": ""}
    env.pop("TF_CONFIG", None)
    if tf_config:
        env["TF_CONFIG"] = json.dumps(tf_config)
    return subprocess.Popen(
        [sys.executable, str(PROCESS), *map(str, arguments)],
        env=env,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def _train(strategy, result, *, devices=1, tasks=None):
    """Returns what the chief wrote: strategy, replicas, losses and weights."""
    tasks = tasks or {}
    ports = iter(_ports(sum(tasks.values())))
    cluster = {
        kind: [f"127.0.0.1:{next(ports)}" for _ in range(count)]
        for kind, count in tasks.items()
    }
    configs = [
        {"cluster": cluster, "task": {"type": kind, "index": index}}
        for kind, addresses in cluster.items()
        for index in range(len(addresses))
    ]
    arguments = (strategy, devices, result)
    processes = [_start(arguments, config) for config in configs or [None]]
    try:
        output, _ = processes[0].communicate(timeout=300)
        assert processes[0].returncode == 0, output
        if "ps" not in tasks:
            for process in processes[1:]:
                output, _ = process.communicate(timeout=60)
                assert process.returncode == 0, output
    finally:
        for process in processes:
            process.kill()
            process.wait()
    with np.load(result) as file:
        kind, replicas, *values = (file[name] for name in file.files)
    return str(kind), int(replicas), values


@pytest.fixture(scope="module")
def one_device(tmp_path_factory):
    result = tmp_path_factory.mktemp("one") / "one.npz"
    kind, replicas, values = _train("one_device", result)
    assert (kind, replicas) == ("OneDeviceStrategy", 1)
    return values


@pytest.mark.parametrize(
    ("strategy", "devices", "tasks", "kind", "replicas"),
    [
        ("mirrored", 2, None, "MirroredStrategy", 2),
        ("auto", 1, {"worker": 2}, "CollectiveAllReduceStrategy", 2),
        (
            "parameter_server",
            1,
            {"chief": 1, "worker": 1, "ps": 2},
            "ParameterServerStrategyV2",
            1,
        ),
    ],
)
def test_trains_as_one_device(
    one_device, tmp_path, strategy, devices, tasks, kind, replicas
):
    found = _train(strategy, tmp_path / "result.npz", devices=devices, tasks=tasks)
    assert found[:2] == (kind, replicas)
    values, expected = found[2], one_device
    if "ParameterServer" in kind:
        # Parameter servers always update tables row by row, which rounds differently.
        third = len(values) // 3
        for value, other in zip(values[third:], expected[third:], strict=True):
            np.testing.assert_allclose(value, other, rtol=1e-3, atol=1e-3)
        values, expected = values[:third], expected[:third]
    for value, other in zip(values, expected, strict=True):
        np.testing.assert_allclose(value, other, rtol=1e-5, atol=1e-5)
