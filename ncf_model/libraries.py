"""What numerical libraries read from the environment when they are imported."""

from collections.abc import MutableMapping

from ncf_model import cores, openblas


def set_up(environment: MutableMapping[str, str]) -> None:
    """Sets the variables of OpenBLAS' kernels and of threads, where needed and not set.

    Each program does this before it imports NumPy, and its processes inherit it: so all
    of them compute the same bits.

    Args:
        environment: `os.environ`.
    """
    openblas.choose_kernels(environment)
    cores.limit_threads(environment)
