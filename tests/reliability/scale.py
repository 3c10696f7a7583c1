"""How much is attacked: a little by default, all of it by `make reliability`."""

import os

FULL = os.environ.get("NCF_RELIABILITY") == "full"
SEED = int(os.environ.get("NCF_SEED", "17"))


def of(*, quick: int, full: int) -> int:
    """Returns how many times something is tried."""
    return full if FULL else quick
