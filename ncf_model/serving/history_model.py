"""The SavedModel of users by their history, which computes sums of products.

A user's logits are vector . Q + b plus the sum of the linear part's rows of the user's
history. Vectors and Q have the columns of iALS after those of the deep part. The
history is what the model was trained on, without the item held out for evaluation.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from ncf_model.history import beside, recency, warm_start
from ncf_model.history.trained import Trained
from ncf_model.network import model
from ncf_model.serving import constants, saved_model

# How many logits are computed at a time.
_BLOCK_VALUES = 1 << 22


def fill(network: model.NeuMF, trained: Trained) -> None:
    """Writes the users' vectors, Q and b into the tables of a dot-product network."""
    vectors = trained.vectors()
    users = np.zeros(network.user_table.embeddings.shape, np.float32)
    users[: len(vectors), : vectors.shape[1]] = vectors
    items = np.zeros(network.item_table.embeddings.shape, np.float32)
    deep = trained.items()
    items[:-1, : deep.shape[1]] = deep
    items[:-1, -1] = trained.tables.bias
    network.user_table.embeddings.assign(users)
    network.item_table.embeddings.assign(items)


class HistoryServingModel(saved_model.ServingModel):
    """Adds the linear part, and answers for users who were never trained."""

    def __init__(self, network: model.NeuMF, *, fitted: Trained, **kwargs: Any) -> None:
        """Computes what does not depend on a request.

        Args:
            network: the dot-product network that `fill` has written `fitted` into, with
                its unknown rows set.
            fitted: the trained parts.
            **kwargs: the other arguments of `ServingModel`.
        """
        # This comes first: the base class scores users when it is made.
        self._slope, self._offset = fitted.curve
        tables = fitted.tables
        self._history = constants.constant(tables.history)
        # A user without a row of their own gets the average row of those who trained.
        rows = tables.user
        if len(rows) > 1:
            rows = rows[fitted.histories.sizes > 0]
        self._row = constants.constant(rows.mean(axis=0))
        sizes = np.append(fitted.histories.sizes, 0).astype(np.int32)
        self._history_sizes = constants.constant(sizes)
        recent = fitted.settings.recency
        self._faded = None
        if recent:
            offsets = fitted.histories.offsets
            self._faded = constants.constant(recency.weights(offsets, recent))
            self._faded_offsets = constants.constant(np.append(offsets, offsets[-1]))
        self._linear = (
            None if fitted.linear is None else constants.constant(fitted.linear)
        )
        self._factored = None
        if fitted.factored is not None:
            self._factored = _FoldIn(fitted.factored)
        kept = warm_start.state(fitted)
        for name, value in kept.items():  # Only a later warm start reads these.
            setattr(self, name, constants.constant(value))
        super().__init__(network, **kwargs)

    def signatures(self) -> dict[str, Any]:
        """Returns the functions to export, by name."""
        return super().signatures() | {"recommend_for_items": self.recommend_for_items}

    def _probability(self, logits: tf.Tensor) -> tf.Tensor:
        return tf.sigmoid(self._slope * logits + self._offset)

    def _histories(self, users: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Returns users' items that the linear part knows, and the items' weights.

        Args:
            users: indices of users, [b].

        Returns:
            Flat arrays, one row per user and item: the user's place in `users`, [n]
            int64; the item, [n] int32; and the item's weight, [n] float32.
        """
        sizes = tf.cast(constants.rows(self._history_sizes, users), tf.int64)
        ends = tf.cumsum(sizes)
        # Flat tensors, because ragged ones make a graph many times as large.
        places = tf.range(tf.reduce_sum(sizes))
        rows = tf.searchsorted(ends, places, side="right", out_type=tf.int64)
        within = places - tf.gather(ends - sizes, rows)
        # The items that a user has seen begin with those that the model was trained on.
        starts = tf.cast(constants.rows(self._seen_offsets, users), tf.int64)
        items = constants.rows(self._seen, tf.gather(starts, rows) + within)
        if self._faded is None:
            weights = tf.ones_like(items, tf.float32)
        else:
            starts = tf.cast(constants.rows(self._faded_offsets, users), tf.int64)
            weights = constants.rows(self._faded, tf.gather(starts, rows) + within)
        covered = items < self._covered()
        return (
            tf.boolean_mask(rows, covered),
            tf.boolean_mask(items, covered),
            tf.boolean_mask(weights, covered),
        )

    def _covered(self) -> int:
        return 0 if self._linear is None else self._linear.shape[0]

    def _pair_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        logits = super()._pair_logits(users, items)
        if self._linear is None:
            return logits
        pair, taken, weights = self._histories(users)
        column = tf.cast(tf.gather(items, pair), tf.int32)
        inside = column < self._covered()
        at = tf.stack([taken, tf.where(inside, column, 0)], axis=1)
        values = tf.where(inside, constants.cells(self._linear, at) * weights, 0.0)
        count = tf.size(users, tf.int64)
        return logits + tf.math.unsorted_segment_sum(values, pair, count)

    def _candidate_logits(self, users: tf.Tensor, items: tf.Tensor) -> tf.Tensor:
        logits = self._in_blocks(self._all_logits, users, tf.float32)
        return tf.gather(logits, items, batch_dims=1)

    def _all_logits(self, users: tf.Tensor) -> tf.Tensor:
        vectors = constants.rows(self._user_part.gmf, users)
        logits = self._deep(vectors, self._item_part)
        if self._linear is None:
            return logits
        rows, taken, weights = self._histories(users)
        at = tf.stack([rows, tf.cast(taken, tf.int64)], axis=1)
        matrix = tf.SparseTensor(
            at,
            weights,
            tf.stack([tf.size(users, tf.int64), self._covered()]),
        )
        return logits + self._spread(
            tf.sparse.sparse_dense_matmul(matrix, self._linear)
        )

    def _deep(self, vectors: tf.Tensor, items: Any) -> tf.Tensor:
        logits = tf.matmul(vectors, items.gmf, transpose_b=True) + items.bias
        return logits + self._weights[0]

    def _spread(self, logits: tf.Tensor) -> tf.Tensor:
        """Adds columns of zeros for the items that the linear part does not cover."""
        rest = self._num_items + 1 - self._covered()
        return tf.pad(logits, [[0, 0], [0, rest]])

    def _users_at_a_time(self) -> int:
        return max(1, _BLOCK_VALUES // self._num_items)

    @tf.function(
        autograph=False,
        input_signature=[
            tf.TensorSpec([None, None], tf.string, "item_ids"),
            tf.TensorSpec([], tf.int32, "k"),
        ],
    )
    def recommend_for_items(
        self, item_ids: tf.Tensor, k: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Returns the best items beside a basket: `item_ids`, `scores`, [B, k].

        "" pads a basket. An unknown item does not count, and a repeated one counts
        once. A basket without any known item gets the most popular items; their score
        is the share of users who have the item.
        """
        check = tf.debugging.assert_non_negative(k, "`k` must be 0 or more.")
        with tf.control_dependencies([check]):
            k = tf.identity(k)
        best = tf.minimum(k, self._num_items)
        baskets = self._baskets(item_ids)
        sizes = tf.reduce_sum(baskets, axis=1, keepdims=True)
        known = baskets[:, :-1]
        shown = known * tf.math.rsqrt(tf.maximum(sizes, 1.0))
        vectors = shown @ self._history + self._row
        if self._factored is not None:
            vectors = tf.concat([vectors, self._factored.vectors(known)], axis=1)
        rest = self._item_part.gmf.shape[1] - vectors.shape[1]
        logits = self._deep(tf.pad(vectors, [[0, 0], [0, rest]]), self._item_part)
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


class _FoldIn(tf.Module):
    """Computes the vectors of iALS for baskets, by conjugate gradients."""

    _STEPS, _NOTHING, _TINY = 100, 1e-12, 1e-30

    def __init__(self, factored: beside.Factored) -> None:
        super().__init__()
        self._items = constants.constant(factored.items)
        inner = factored.items.T @ factored.items
        self._gram = constants.constant(np.float32(factored.unobserved) * inner)
        self._l2, self._unobserved = factored.l2, factored.unobserved
        self._weight = factored.weight

    def vectors(self, baskets: tf.Tensor) -> tf.Tensor:
        """Returns weighted vectors [B, factors] of 0/1 baskets [B, num_items]."""
        at = tf.where(baskets > 0)
        rows, own = at[:, 0], constants.rows(self._items, at[:, 1])
        count = tf.shape(baskets, tf.int64)[0]
        sizes = tf.reduce_sum(baskets, axis=1, keepdims=True)
        cells = self._unobserved * tf.cast(tf.shape(baskets)[1], tf.float32)
        penalty = self._l2 * (sizes + cells)

        def total(values: tf.Tensor) -> tf.Tensor:
            return tf.math.unsorted_segment_sum(values, rows, count)

        def square(x: tf.Tensor) -> tf.Tensor:
            return tf.reduce_sum(x * x, axis=1, keepdims=True)

        def step(*state: tf.Tensor) -> tuple[tf.Tensor, ...]:
            solution, residual, direction = state
            inner = tf.reduce_sum(own * tf.gather(direction, rows), 1, keepdims=True)
            image = total(inner * own) + direction @ self._gram + penalty * direction
            before = square(residual)
            curve = tf.reduce_sum(direction * image, axis=1, keepdims=True)
            size = before / tf.maximum(curve, self._TINY)
            residual -= size * image
            share = square(residual) / tf.maximum(before, self._TINY)
            solution += size * direction
            return solution, residual, residual + share * direction

        start = total(own)
        limit = self._NOTHING * square(start)
        found = tf.while_loop(
            lambda solution, residual, direction: tf.reduce_any(
                square(residual) > limit
            ),
            step,
            (tf.zeros_like(start), start, start),
            maximum_iterations=self._STEPS,
        )
        return self._weight * found[0]
