"""Estimates what a baseline would cost, before anything is computed.

Seconds are those of two cores of a usual server, fitted to the measurements in
benchmarks/README.md. They need to be right only within a factor of two or three.
"""

from typing import NamedTuple

import numpy as np
import scipy.sparse

from components.eval_context import item_weights, rivals
from components.eval_context.config import BaselinesConfig

_MB = 1e6
# A search tries about so many settings of a baseline.
FITS = 7


class Cost(NamedTuple):
    """Megabytes at the peak, and seconds for one fit."""

    memory_mb: float
    seconds: float


def cost(
    name: str, positives: scipy.sparse.csr_matrix, config: BaselinesConfig
) -> Cost:
    """Returns what fitting the baseline `name` once would cost."""
    users, items = positives.shape
    if name == rivals.EASE:
        # The smaller of both Gram matrices is inverted. During a search there are up to
        # six matrices of items x items: products, copies of them, inverse, weights.
        small = min(users, items)
        bytes_ = 4 * (6 * items**2 + (2 * users**2 if users < items else 0))
        flops = 2 * small**3 + (2 * users * items * items if users < items else 0)
        return Cost(bytes_ / _MB, flops / 5e10)
    if name == rivals.IALS:
        width = rivals.factors(positives, config)
        bytes_ = 4 * width * 3 * (users + items) + 16 * positives.nnz
        return Cost(bytes_ / _MB, 10 * width * (positives.nnz + users + items) * 3e-9)
    sizes = np.diff(positives.indptr).astype(np.float64)
    stored = 4 * 12 * items * min(items, 400) + item_weights.BLOCK_BYTES
    return Cost(stored / _MB, float((sizes**2).sum()) * 1e-8 + items**2 * 7e-9)


def reason_against(found: Cost, config: BaselinesConfig) -> str | None:
    """Returns why a baseline is too expensive; None if it is not."""
    for limit, value, unit in (
        ("max_memory_mb", found.memory_mb, "MB"),
        ("max_seconds", found.seconds, "s"),
    ):
        allowed = getattr(config, limit)
        if value > allowed:
            return (
                f"was left out: it would take about {value:,.0f} {unit}, and "
                f"evaluation.baselines.{limit} is {allowed:,}"
            )
    return None
