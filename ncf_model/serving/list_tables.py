"""Turns lists of recommendations into a table with a row per user and item."""

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

SCHEMA = pa.schema(
    {
        "user_id": pa.string(),
        "rank": pa.int32(),
        "item_id": pa.string(),
        "score": pa.float32(),
        "title": pa.string(),
    }
)


def table(
    user_ids: Sequence[str],
    item_ids: np.ndarray,
    scores: np.ndarray,
    title_of: Callable[[str], str],
) -> pa.Table:
    """Returns a table of `SCHEMA`, user by user, the best item (rank 1) first.

    Args:
        user_ids: raw ids, [B].
        item_ids: [B, k] bytes, b"" where a user has no more items; b"" gets no row.
        scores: [B, k] float32.
        title_of: returns an item's title, "" without one.
    """
    items = pa.array(item_ids.ravel().tolist(), pa.binary()).cast(pa.string())
    # Titles are looked up once per item, not once per row.
    coded = items.dictionary_encode()
    titles = pa.array([title_of(item) for item in coded.dictionary.to_pylist()])
    users = pa.array(user_ids, pa.string())
    places = np.arange(item_ids.size, dtype=np.int32)
    k = max(item_ids.shape[1], 1)
    rows = pa.table(
        [
            users.take(pa.array(places // k)),
            pa.array(places % k + 1),
            items,
            pa.array(scores.ravel()),
            titles.cast(pa.string()).take(coded.indices),
        ],
        schema=SCHEMA,
    )
    return rows.filter(pa.array((item_ids != b"").ravel()))
