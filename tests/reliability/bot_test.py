"""With a user who has tens of thousands of items, memory stays within the settings."""

import json
import subprocess
import sys

import pytest

from tests.reliability import real_runs, scale

pytestmark = pytest.mark.skipif(
    not scale.FULL, reason="takes minutes; `make reliability` runs it"
)
# The program prints by how many MB fitting the rivals and ranking 50 lists raises the
# process's peak memory.
_SCRIPT = """
import json, resource, sys
import numpy as np
import scipy.sparse
from components.eval_context import context, rivals, search
from components.eval_context.config import BaselinesConfig

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

bot, users = int(sys.argv[1]), 1000
rng = np.random.default_rng(0)
rows = [np.sort(rng.choice(bot, 20, replace=False)) for _ in range(users)]
rows.append(np.arange(bot))
offsets = np.cumsum([0, *map(len, rows)])
ones = np.ones(offsets[-1], np.float32)
shape = (users + 1, bot + 1)
matrix = scipy.sparse.csr_matrix((ones, np.concatenate(rows), offsets), shape)
positives = rivals.Positives(matrix)
held = rng.integers(0, bot, (50, 100))
names = [b"%d" % i for i in range(bot + 1)]
before = peak()
made = context.Context(
    positives,
    users={b"u%d" % i: i for i in range(users + 1)},
    items={name: i for i, name in enumerate(names)},
    config=BaselinesConfig(),
    validation=search.SearchData(positives, np.arange(50), held, None),
)
ids = [b"u%d" % i for i in [*range(49), users]]
made.scores(ids, [[names[i] for i in row] for row in held])
seen = [[names[i] for i in rows[int(u[1:])]] for u in ids]
for start in range(0, 50, 10):
    part = slice(start, start + 10)
    made.ranks(ids[part], [names[bot]] * 10, seen[part])
print(json.dumps([peak() - before, made.baselines, made.left_out]))
"""


@pytest.mark.parametrize("bot", [30_000, 100_000])
def test_a_bot(bot, capsys):
    command = [sys.executable, "-c", _SCRIPT, str(bot)]
    done = subprocess.run(
        command, cwd=real_runs.ROOT, capture_output=True, text=True, check=True
    )
    megabytes, there, left_out = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\n{bot} items: {megabytes:.0f} MB for {there}; {left_out}")
    # `max_memory_mb` allows 2 GB; the scores of the lists come on top.
    assert megabytes < 3000
    assert "ease" in left_out  # EASE needs a matrix of 30,000 x 30,000.
