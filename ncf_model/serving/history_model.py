"""The SavedModel of users by their history: two sums of products.

A user's logits are vector . Q + b, plus the rows of the linear part that belong to
their history. The history is what the model was trained on; the item that is held out
for evaluation is not in it.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ncf_model.history import warm_start
from ncf_model.history.trained import Trained
from ncf_model.network import model
from ncf_model.serving import saved_model

# Logits at a time.
_BLOCK_VALUES = 1 << 22


def fill(network: model.NeuMF, trained: Trained) -> None:
    """Writes the vectors, Q and b into the tables of a dot product with biases."""
    vectors = trained.vectors()
    users = np.zeros(network.user_table.embeddings.shape, np.float32)
    users[: len(vectors), : vectors.shape[1]] = vectors
    items = np.zeros(network.item_table.embeddings.shape, np.float32)
    items[:-1, :-1] = trained.tables.item
    items[:-1, -1] = trained.tables.bias
    network.user_table.embeddings.assign(users)
    network.item_table.embeddings.assign(items)


class HistoryServingModel(saved_model.ServingModel):
    """Adds the linear part, and answers for users who were never trained."""

    def __init__(self, network: model.NeuMF, *, fitted: Trained, **kwargs: Any) -> None:
        """Computes what does not depend on a request.

        Args:
            network: a dot product with the tables of `fitted`, unknown rows set.
            fitted: the rest.
            **kwargs: of `ServingModel`.
        """
        # First of all: the base class scores users when it is made.
        self._slope, self._offset = fitted.curve
        tables = fitted.tables
        self._history = _constant(tables.history)
        # Who has no row of their own gets the average one.
        self._row = _constant(tables.user.mean(axis=0))
        sizes = np.append(fitted.histories.sizes, 0).astype(np.int32)
        self._history_sizes = _constant(sizes)
        self._linear = None if fitted.linear is None else _constant(fitted.linear)
        kept = warm_start.state(tables, l2=fitted.l2, weight=fitted.weight)
        for name, value in kept.items():  # Nothing is served by it.
            setattr(self, name, _constant(value))
        super().__init__(network, **kwargs)

    def signatures(self) -> dict[str, Any]:
        """Returns the functions to export, by name."""
        return super().signatures() | {"recommend_for_items": self.recommend_for_items}

    def _probability(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self._slope * logits + self._offset)

    def _histories(self, users: tf.Tensor) -> tf.RaggedTensor:
        """Returns the items, [b, (n)] int32, that the linear part knows."""
        starts = tf.gather(self._seen_offsets, users)
        sizes = tf.cast(tf.gather(self._history_sizes, users), starts.dtype)
        # What a user has seen begins with what the model was trained on.
        places = tf.ragged.range(starts, starts + sizes)
        items = tf.ragged.map_flat_values(lambda i: tf.gather(self._seen, i), places)
        return tf.ragged.boolean_mask(items, items < self._covered())

    def _covered(self) -> int:
        return 0 if self._linear is None else self._linear.shape[0]

    def _pair_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        logits = super()._pair_logits(users, items)
        if self._linear is None:
            return logits
        taken = self._histories(users)
        pair = taken.value_rowids()
        column = tf.cast(tf.gather(items, pair), tf.int32)
        inside = column < self._covered()
        at = tf.stack([taken.values, tf.where(inside, column, 0)], axis=1)
        values = tf.where(inside, tf.gather_nd(self._linear, at), 0.0)
        count = tf.size(users, tf.int64)
        return logits + tf.math.unsorted_segment_sum(values, pair, count)

    def _candidate_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        logits = self._in_blocks(self._all_logits, users, tf.float32)
        return tf.gather(logits, items, batch_dims=1)

    def _all_logits(self, users: tf.Tensor) -> tf.Tensor:
        vectors = tf.gather(self._user_part.gmf, users)
        logits = self._deep(vectors, self._item_part)
        if self._linear is None:
            return logits
        taken = self._histories(users)
        rows = tf.cast(taken.value_rowids(), tf.int64)
        at = tf.stack([rows, tf.cast(taken.values, tf.int64)], axis=1)
        matrix = tf.SparseTensor(
            at,
            tf.ones_like(taken.values, tf.float32),
            tf.stack([tf.size(users, tf.int64), self._covered()]),
        )
        return logits + self._spread(
            tf.sparse.sparse_dense_matmul(matrix, self._linear)
        )

    def _deep(self, vectors: tf.Tensor, items: Any) -> tf.Tensor:
        logits = tf.matmul(vectors, items.gmf, transpose_b=True) + items.bias
        return logits + self._weights[0]

    def _spread(self, logits: tf.Tensor) -> tf.Tensor:
        """Adds columns of zeros for what the linear part does not cover."""
        rest = self._num_items + 1 - self._covered()
        return tf.pad(logits, [[0, 0], [0, rest]])

    def _users_at_a_time(self) -> int:
        return max(1, _BLOCK_VALUES // self._num_items)

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, None], tf.string, "item_ids"),
            tf.TensorSpec([], tf.int32, "k"),
        ]
    )
    def recommend_for_items(
        self, item_ids: tf.Tensor, k: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the best items beside a basket: `item_ids`, `scores`, [B, k].

        "" pads a basket; an item that is not known, or comes again, does not count. A
        basket without any known item gets the most popular items, with the share of
        users who have them.
        """
        check = tf.debugging.assert_non_negative(k, "`k` must be 0 or more.")
        with tf.control_dependencies([check]):
            k = tf.identity(k)
        best = tf.minimum(k, self._num_items)
        baskets = self._baskets(item_ids)
        sizes = tf.reduce_sum(baskets, axis=1, keepdims=True)
        known = baskets[:, :-1]
        shown = known * tf.math.rsqrt(tf.maximum(sizes, 1.0))
        logits = self._deep(shown @ self._history + self._row, self._item_part)
        if self._linear is not None:
            logits += self._spread(known[:, : self._covered()] @ self._linear)
        left = tf.where(known > 0, -np.inf, logits[:, :-1])
        values, items = tf.math.top_k(left, best)
        gone = tf.logical_not(values > -np.inf)
        items = tf.where(gone, -1, items)
        scores = tf.where(gone, 0.0, self._probability(values))
        items = tf.where(sizes == 0, self._popular[:best], items)
        scores = tf.where(sizes == 0, self._popular_scores[:best], scores)
        rest = [[0, 0], [0, k - best]]
        ids = self._item_ids.lookup(tf.cast(items, tf.int64))
        return {"item_ids": tf.pad(ids, rest), "scores": tf.pad(scores, rest)}

    def _baskets(self, item_ids: tf.Tensor) -> tf.Tensor:
        """Returns [B, num_items + 1] of zeros and ones, the last column all 0."""
        items = tf.cast(self._items.lookup(item_ids), tf.int32)
        rows = tf.range(tf.shape(items)[0])[:, tf.newaxis] + tf.zeros_like(items)
        at = tf.reshape(tf.stack([rows, items], axis=-1), [-1, 2])
        zeros = tf.zeros([tf.shape(items)[0], self._num_items + 1])
        ones = tf.ones([tf.shape(at)[0]])
        marked = tf.tensor_scatter_nd_max(zeros, at, ones)
        return marked * tf.pad(tf.ones([self._num_items]), [[0, 1]])


def _constant(value: Any) -> tf.Variable:
    return tf.Variable(value, trainable=False)
