"""Measures whether the items of a span still fit the users beside them.

If ids change places, in the column of users or of items, all counts stay about the same
where many items are equally popular. What changes is who takes what: the item of one
interaction then fits the user of any other just as well.
"""

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import scipy.sparse

# With fewer comparable interactions there is no figure.
LEAST = 100
_MOST = 20_000  # Of the newest span's interactions so many are compared.
_DIMENSIONS, _ROUNDS, _OTHERS = 16, 4, 8
_SEED = 20240601


class UserItemPairs(NamedTuple):
    """A span's interactions: two columns of raw ids, encoded by a dictionary."""

    users: pa.ChunkedArray
    items: pa.ChunkedArray


def joined(spans: Iterable[UserItemPairs]) -> UserItemPairs:
    """Returns the pairs of all spans as one."""
    spans = list(spans)
    kind = pa.dictionary(pa.int32(), pa.string())
    users = [chunk for span in spans for chunk in span.users.chunks]
    items = [chunk for span in spans for chunk in span.items.chunks]
    return UserItemPairs(pa.chunked_array(users, kind), pa.chunked_array(items, kind))


def misfit(newest: UserItemPairs, before: UserItemPairs) -> float | None:
    """Returns the share of pairs that fit no better than with their items swapped.

    How well a user and an item fit is computed from the spans before (PureSVD). The
    share is 0.5 if the pairs are chance, and 0 if each item fits its own user better.
    Popularity and activity have no influence, because a swap keeps both.

    Args:
        newest: the span to look at. Those of its pairs count that no span before has,
            but whose user and item a span before has.
        before: the spans before it.

    Returns:
        None where fewer than `LEAST` pairs count.
    """
    users, items, known = _encoded(newest, before)
    old_users, old_items = (of[known] for of in (users, items))
    shape = (users.max(initial=-1) + 1, items.max(initial=-1) + 1)
    taken = scipy.sparse.csr_matrix(
        (np.ones(len(old_users), np.float32), (old_users, old_items)), shape
    )
    taken.data[:] = 1  # A pair that came twice has the value 2.
    new = np.unique(np.stack([users[~known], items[~known]], axis=1), axis=0)
    new = new[_comparable(new, taken)]
    rng = np.random.default_rng(_SEED)
    new = new[rng.permutation(len(new))[:_MOST]]
    if len(new) < LEAST:
        return None
    return _share_as_good(taken, new[:, 0], new[:, 1], rng)


def _encoded(
    newest: UserItemPairs, before: UserItemPairs
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns users and items as numbers, and which rows are of the spans before."""
    numbers = []
    for new, old in zip(newest, before, strict=True):
        column = pa.chunked_array([*old.chunks, *new.chunks]).unify_dictionaries()
        chunks = [chunk.indices.to_numpy() for chunk in column.chunks]
        numbers.append(np.concatenate([np.zeros(0, np.int32), *chunks]))
    known = np.arange(len(numbers[0])) < len(before.users)
    return numbers[0], numbers[1], known


def _comparable(new: np.ndarray, taken: scipy.sparse.csr_matrix) -> np.ndarray:
    """Returns which pairs are new although their user and their item are not."""
    users, items = new.T
    per_user, per_item = (np.asarray(taken.sum(axis)).ravel() for axis in (1, 0))
    return (per_user[users] > 0) & (per_item[items] > 0) & ~_had(taken, users, items)


def _had(
    taken: scipy.sparse.csr_matrix, users: np.ndarray, items: np.ndarray
) -> np.ndarray:
    """Returns which of the pairs are nonzero in the matrix."""
    if not len(users):
        return np.zeros(0, bool)
    return np.asarray(taken[users, items]).ravel() > 0


def _share_as_good(
    taken: scipy.sparse.csr_matrix,
    users: np.ndarray,
    items: np.ndarray,
    rng: np.random.Generator,
) -> float:
    popularity = np.maximum(np.asarray(taken.sum(0)).ravel(), 1)
    weighted = taken @ scipy.sparse.diags((popularity**-0.5).astype(np.float32))
    # With as many dimensions as items each pair would be known, and none foreseen.
    width = min(_DIMENSIONS, 1 + min(weighted.shape) // 8)
    basis = rng.normal(size=(weighted.shape[1], width)).astype(np.float32)
    for _ in range(_ROUNDS):
        basis, _ = np.linalg.qr(weighted.T @ (weighted @ basis))
    tastes, kinds = (weighted @ basis)[users], basis[items]
    shares = []
    for shift in range(1, _OTHERS + 1):
        users_2, tastes_2, items_2, kinds_2 = (
            np.roll(of, shift, axis=0) for of in (users, tastes, items, kinds)
        )
        # This remains of the sum of the fits as they are, less the sum when swapped.
        gain = np.sum((tastes - tastes_2) * (kinds - kinds_2), axis=1)
        fair = (users_2 != users) & (items_2 != items)
        # The swapped pairs must be new as well.
        fair &= ~(_had(taken, users, items_2) | _had(taken, users_2, items))
        gain = gain[fair]
        shares.append((gain < 0) + 0.5 * (gain == 0))
    compared = np.concatenate(shares)
    return float(compared.mean()) if len(compared) else 0.5
