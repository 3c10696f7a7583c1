"""Chooses OpenBLAS' kernels for Intel's processors that NumPy's OpenBLAS does not know.

The OpenBLAS of the older line's NumPy and SciPy (0.3.23 and 0.3.21) takes its kernels
for the Prescott of 2004 on each of Intel's processors that came out after it. They take
two to three times as long, and `spotri` may end the process (see `history/linear.py`).
For a processor of AMD it asks what the processor can do.
"""

import os
import platform
from collections.abc import MutableMapping

_VARIABLE = "OPENBLAS_CORETYPE"
_LAST_KNOWN = 6, 0xA7  # Intel's last family and model that OpenBLAS 0.3.21 knows.
_KERNELS = {  # Newer releases of OpenBLAS take the same.
    "SkylakeX": {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"},
    "Haswell": {"avx2", "fma"},
}


def choose_kernels(
    environment: MutableMapping[str, str], cpuinfo: str = "/proc/cpuinfo"
) -> None:
    """Sets OPENBLAS_CORETYPE if it is not set and OpenBLAS would choose badly.

    It acts on NumPy and SciPy in processes that have not imported them yet.

    Args:
        environment: `os.environ`, or what a process will find there.
        cpuinfo: the file in which Linux describes the processor.
    """
    if _VARIABLE in environment or platform.machine() != "x86_64":
        return
    if not os.path.isfile(cpuinfo):
        return
    found = _first_core(cpuinfo)
    if found.get("vendor_id") != "GenuineIntel":
        return
    try:
        kind = int(found["cpu family"]), int(found["model"])
    except (KeyError, ValueError):
        return
    if kind <= _LAST_KNOWN:
        return
    has = set(found.get("flags", "").split())
    for kernels, needed in _KERNELS.items():
        if needed <= has:
            environment[_VARIABLE] = kernels
            return


def _first_core(cpuinfo: str) -> dict[str, str]:
    """Returns the fields of the first core; the others' take Linux time to write."""
    fields = {}
    with open(cpuinfo) as lines:
        for line in lines:
            if not line.strip():
                break
            name, _, value = line.partition(":")
            fields[name.strip()] = value.strip()
    return fields
