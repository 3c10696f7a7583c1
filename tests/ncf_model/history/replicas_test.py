"""The default network trains on several devices as on one, in real processes."""

import json
import os
import subprocess
import sys

import pytest

CODE = """
import json, sys
import numpy as np
import tensorflow as tf

from ncf_model import config
from ncf_model.history import batches, encoder
from ncf_model.sampling.ragged import Ragged

devices = int(sys.argv[1])
logical = [tf.config.LogicalDeviceConfiguration()] * devices
[cpu] = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, logical)
rng = np.random.default_rng(0)
rows = [np.sort(rng.choice(50, rng.integers(3, 12), replace=False)) for _ in range(60)]
positives = Ragged(np.concatenate(rows), np.cumsum([0, *map(len, rows)]))
counts = np.bincount(positives.values, minlength=50)
settings = config.HistoryConfig(factors=8, users_per_batch=16)
strategy = tf.distribute.MirroredStrategy([f"CPU:{n}" for n in range(devices)])
with strategy.scope():
    loop = encoder.Loop(
        encoder.start(settings, counts=counts, num_users=60, seed=1),
        settings,
        jit_compile=True,
    )
source = batches.UserBatches(
    positives, num_items=50, users_per_batch=16, dropout=0.3, most_items=40, seed=1
)
losses = [
    float(loop.step(batch, rate=0.005, epoch=epoch))
    for epoch in (1, 2)
    for batch in source.prefetched(epoch)
]
tables = [table.tolist() for table in loop.tables()]
print(json.dumps([strategy.num_replicas_in_sync, losses, tables]))
"""


def _train(devices):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(devices)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {"TF_CPP_MIN_LOG_LEVEL": "3"},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_two_replicas_have_the_losses_and_tables_of_one():
    alone, losses, tables = _train(1)
    replicas, losses_of_two, tables_of_two = _train(2)
    assert (alone, replicas) == (1, 2)
    assert len(losses) == 8  # Two epochs have four batches each.
    assert losses_of_two == pytest.approx(losses, rel=1e-5)
    for one, two in zip(tables, tables_of_two, strict=True):
        for row, same in zip(one, two, strict=True):
            assert same == pytest.approx(row, abs=1e-5)
