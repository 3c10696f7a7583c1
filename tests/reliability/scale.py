"""How often tests repeat their attacks: seldom, or often by `make reliability`."""

import os

FULL = os.environ.get("NCF_RELIABILITY") == "full"
SEED = int(os.environ.get("NCF_SEED", "17"))


def of(*, quick: int, full: int) -> int:
    """Returns `full` in `make reliability`, `quick` otherwise."""
    return full if FULL else quick
