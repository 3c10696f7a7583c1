"""Estimated costs of baselines: what is too large is refused with a reason."""

import pytest
import scipy.sparse

from components.eval_context import costs, rivals
from components.eval_context.config import BaselinesConfig

AUTO = BaselinesConfig()


def _positives(users, items, pairs):
    each = max(1, pairs // users)
    indptr = [min(pairs, each * user) for user in range(users)] + [pairs]
    columns = [place % items for place in range(pairs)]
    return scipy.sparse.csr_matrix(([1.0] * pairs, columns, indptr), (users, items))


@pytest.mark.parametrize("name", rivals.NAMES)
def test_a_small_catalogue_is_affordable_with_a_search(name):
    found = costs.cost(name, _positives(900, 1_700, 100_000), AUTO)
    assert costs.reason_against(found, AUTO) is None
    assert costs.FITS * found.seconds < AUTO.max_seconds


def test_ease_of_a_large_catalogue_is_refused_for_its_memory():
    found = costs.cost(rivals.EASE, _positives(20_000, 30_000, 100_000), AUTO)
    # EASE needs six float32 matrices of 30,000 x 30,000 and two of 20,000 x 20,000.
    assert found.memory_mb == pytest.approx(24_800)
    reason = costs.reason_against(found, AUTO)
    assert reason == (
        "was left out: it would take about 24,800 MB, and "
        "evaluation.baselines.max_memory_mb is 2,000"
    )


def test_what_takes_too_long_is_refused_for_its_time():
    config = BaselinesConfig(max_seconds=1)
    reason = costs.reason_against(costs.Cost(1.0, 2.0), config)
    assert "about 2 s, and evaluation.baselines.max_seconds is 1" in reason


def test_ials_costs_more_with_more_factors():
    positives = _positives(100, 50, 1_000)
    few, many = (
        costs.cost(rivals.IALS, positives, BaselinesConfig(ials_factors=f))
        for f in (8, 32)
    )
    assert few.seconds < many.seconds
    assert few.memory_mb < many.memory_mb
