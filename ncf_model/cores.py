"""How many cores this process may use, in a container too.

A container's limit is time on the machine's cores, all of which the container sees. A
library that starts a thread on each of them is stopped at the end of that time, while
its other threads wait for one another.
"""

import contextlib
import math
import os
import pathlib
from collections.abc import MutableMapping

_GROUPS = pathlib.Path("/sys/fs/cgroup")
# The files, below the folder of control groups, with a container's time and its period.
_LIMITS = (
    ("cpu.max",),  # Version 2.
    ("cpu/cpu.cfs_quota_us", "cpu/cpu.cfs_period_us"),  # Version 1.
)
_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "NUMBA")


def usable() -> int:
    """Returns the number of cores that this process may use.

    These are the cores on which it may run or, if that is less, as many as the
    container's limit is worth; 1.5 cores count as two.
    """
    cores = _allowed()
    for files in _LIMITS:
        # There is no such file outside a container; "max" and -1 mean no limit.
        with contextlib.suppress(OSError, ValueError):
            text = " ".join((_GROUPS / file).read_text() for file in files)
            quota, period = map(int, text.split())
            if quota > 0:
                cores = min(cores, math.ceil(quota / period))
    return cores


def thread_limits(threads: int) -> dict[str, str]:
    """Returns the variables that give TensorFlow and linear algebra so many threads."""
    names = [f"{library}_NUM_THREADS" for library in _LIBRARIES]
    return dict.fromkeys([*names, "TF_NUM_INTRAOP_THREADS"], str(threads))


def limit_threads(environment: MutableMapping[str, str]) -> None:
    """Sets the variables of `thread_limits` that are not set, in a limited container.

    It acts on libraries that this process has not imported yet.

    Args:
        environment: `os.environ`, or what a process will find there.
    """
    cores = usable()
    if cores < _allowed():
        for name, value in thread_limits(cores).items():
            environment.setdefault(name, value)


def _allowed() -> int:
    return len(os.sched_getaffinity(0))
