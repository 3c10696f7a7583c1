"""iALS, against the loss that it minimises and the solution of its normal equations."""

import numpy as np
import pytest
import scipy.sparse

from ncf_model.history import ials

L2, UNOBSERVED = 0.05, 0.3


def _positives(users=12, items=7):
    dense = np.random.default_rng(1).random((users, items)) < 0.4
    dense[0] = False  # This user has no items.
    return scipy.sparse.csr_matrix(dense.astype(np.float32))


def _fit(positives, **changes):
    settings = {"factors": 3, "l2": L2, "unobserved": UNOBSERVED, "epochs": 40}
    return ials.fit(positives, **settings | changes)


def test_each_user_solves_their_normal_equations():
    """As in Rendle et al. (2021), the penalty is l2 * (pairs + unobserved * items)."""
    positives = _positives()
    users, items = _fit(positives)
    # Users were solved before the last step of the items, but both have converged.
    for user, row in enumerate(positives.toarray().astype(bool)):
        gram = UNOBSERVED * items.T @ items + items[row].T @ items[row]
        gram += L2 * (row.sum() + UNOBSERVED * len(row)) * np.eye(3)
        expected = np.linalg.solve(gram, items[row].sum(axis=0))
        np.testing.assert_allclose(users[user], expected, atol=2e-3)
    assert not users[0].any()


def test_a_fold_in_solves_the_normal_equations_to_the_end():
    positives = _positives()
    items = np.random.default_rng(2).standard_normal((7, 3)).astype(np.float32)
    users = ials.fold_in(positives, items, l2=L2, unobserved=UNOBSERVED)
    for user, row in enumerate(positives.toarray().astype(bool)):
        gram = UNOBSERVED * items.T @ items + items[row].T @ items[row]
        gram += L2 * (row.sum() + UNOBSERVED * len(row)) * np.eye(3)
        expected = np.linalg.solve(gram, items[row].sum(axis=0))
        np.testing.assert_allclose(users[user], expected, atol=1e-5)


def test_one_of_each_by_hand():
    """For one user and one item, by symmetry both factors have the same size w."""
    users, items = _fit(scipy.sparse.csr_matrix([[1.0]]), factors=1)
    # At the optimum (1 + unobserved) * w**2 = 1 - l2 * (1 + unobserved).
    expected = 1 / (1 + UNOBSERVED) - L2
    assert users[0, 0] * items[0, 0] == pytest.approx(expected, abs=1e-4)


def test_threads_make_no_difference(monkeypatch):
    whole = _fit(_positives())
    monkeypatch.setattr(ials.cores, "usable", lambda: 1)
    for one, other in zip(whole, _fit(_positives()), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    "sizes", [[5, 0, 70_000, 3, 90, 90, 4], [0, 0], [1] * 100, [0, 9, 0]]
)
def test_spans_hold_every_row_once(sizes):
    spans = ials._spans(np.concatenate([[0], np.cumsum(sizes)]))
    rows = [row for start, stop in spans for row in range(start, stop)]
    assert rows == list(range(len(sizes)))


@pytest.mark.parametrize("name", ["l2", "unobserved", "factors"])
def test_refuses_what_has_no_solution(name):
    with pytest.raises(ValueError, match=f"`{name}` must be above 0; got 0"):
        _fit(_positives(), **{name: 0})
