"""Measures how much memory this process and its children may still take."""

import contextlib
import pathlib
import re

import psutil

_GROUPS = pathlib.Path("/sys/fs/cgroup")
# Below the folder of control groups: the limit of a container, and what it has in use.
_FILES = (
    ("memory.max", "memory.current"),  # Version 2.
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),  # Version 1.
)
_INACTIVE = re.compile(r"^(?:total_)?inactive_file (\d+)$", re.MULTILINE)


def free_bytes() -> int:
    """Returns the free memory of this machine, or of the container if that is less.

    The machine's memory says nothing about a container's limit, beyond which the kernel
    kills the run.
    """
    free = psutil.virtual_memory().available
    for limit, used in _FILES:
        # There is no such file outside a container, and "max" means no limit.
        with contextlib.suppress(OSError, ValueError):
            in_use = _number(used) - _reclaimable((_GROUPS / used).parent)
            free = min(free, _number(limit) - in_use)
    return int(max(0, free))


def _number(file: str) -> int:
    return int((_GROUPS / file).read_text())


def _reclaimable(group: pathlib.Path) -> int:
    """Returns the bytes of files that a group holds only until they are needed."""
    found = _INACTIVE.findall((group / "memory.stat").read_text())
    return max(map(int, found), default=0)
