"""How many cores a process may use, with and without a container's limit."""

import subprocess
import sys

import pytest

from ncf_model import cores

TWO = {"cpu.max": "200000 100000\n"}
ALL_SET = cores.thread_limits(2)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Returns a function that makes a machine of eight cores with these files."""

    def make(files):
        for name, text in files.items():
            (tmp_path / name).parent.mkdir(exist_ok=True)
            (tmp_path / name).write_text(text)
        monkeypatch.setattr(cores, "_GROUPS", tmp_path)
        monkeypatch.setattr(cores.os, "sched_getaffinity", lambda _: set(range(8)))

    return make


def _version_1(quota, period):
    return {
        "cpu/cpu.cfs_quota_us": f"{quota}\n",
        "cpu/cpu.cfs_period_us": f"{period}\n",
    }


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, 8),
        ({"cpu.max": "max 100000\n"}, 8),
        (TWO, 2),
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "10000 100000\n"}, 1),
        ({"cpu.max": "3200000 100000\n"}, 8),
        ({"cpu.max": "\n"}, 8),
        (_version_1(-1, 100_000), 8),
        (_version_1(300_000, 100_000), 3),
    ],
)
def test_the_limit_of_a_container(machine, files, expected):
    machine(files)
    assert cores.usable() == expected


@pytest.mark.parametrize(
    ("files", "given", "expected"),
    [
        ({}, {}, {}),
        ({"cpu.max": "800000 100000\n"}, {}, {}),
        (TWO, {}, ALL_SET),
        (TWO, {"OMP_NUM_THREADS": "5"}, ALL_SET | {"OMP_NUM_THREADS": "5"}),
    ],
)
def test_libraries_start_no_more_threads_than_that(machine, files, given, expected):
    machine(files)
    cores.limit_threads(given)
    assert given == expected


def test_numpy_and_numba_obey():
    script = (
        "import os; from ncf_model import cores; os.environ |= cores.thread_limits(1)\n"
        "import numba, scipy.linalg, threadpoolctl\n"
        "found = threadpoolctl.threadpool_info()\n"
        "print(numba.config.NUMBA_NUM_THREADS, {one['num_threads'] for one in found})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], check=True, stdout=-1)
    assert done.stdout == b"1 {1}\n"
