"""What is added to a record, of each kind."""

import numpy as np
import scipy.sparse
import tensorflow as tf

from components.eval_context import executor
from components.eval_context.context import Context
from ncf_model.config import BaselinesConfig

# Two users, who have items 0 and 1, and item 0; nobody has item 2.
CONTEXT = Context(
    scipy.sparse.csr_matrix(np.array([[1, 1, 0], [1, 0, 0]], np.float32)),
    users={b"u0": 0, b"u1": 1},
    items={b"i0": 0, b"i1": 1, b"i2": 2},
    config=BaselinesConfig(item_knn_neighbours=3, ease_l2=1.0),
)
SLICES = {"user_activity", "item_popularity", "item_warmth"}


def _added(**ids):
    """Annotates one record of user u1; returns the features it did not have."""
    record = tf.train.Example()
    for name, values in {"user_id": [b"u1"], **ids}.items():
        record.features.feature[name].bytes_list.value.extend(values)
    [record] = executor._annotated([record], CONTEXT)
    added = record.features.feature
    return {name: added[name] for name in added.keys() - {"user_id", *ids}}


def test_a_list_gets_scores():
    added = _added(candidate_ids=[b"i2", b"i1"])
    assert added.keys() == {"candidate_item_knn", "candidate_ease"} | SLICES
    scores = added["candidate_item_knn"].float_list.value
    np.testing.assert_allclose(scores, [0, 0.5**0.5], rtol=1e-6)


def test_a_record_with_what_the_user_has_seen_gets_ranks():
    added = _added(candidate_ids=[b"i2"], seen_ids=[b"i0"])
    assert added.keys() == {"item_knn_rank", "ease_rank"} | SLICES
    # Item 1 is like item 0, item 2 is not.
    assert list(added["item_knn_rank"].int64_list.value) == [1]
    assert list(added["ease_rank"].int64_list.value) == [1]
    assert list(added["item_popularity"].bytes_list.value) == [b"tail"]
