"""One training step, as a function from state to state.

A batch consists of groups: a positive and its negatives, which share their user. The
user's half of the work is done once per group.

A table is used in one of two ways, whichever moves less memory. In sparse use the rows
of the batch are read and written back. Dense use is for batches with more indices than
the table has rows: the first layer's half is computed once per row of the table and
spread over the batch, and every row is updated.
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import keras
import tensorflow as tf

from ncf_model.network import layers
from ncf_model.training import optimizer

# How the loss is scaled in float16: Micikevicius et al., "Mixed Precision Training"
# (2018).
FIRST_SCALE = 2.0**15
_STEPS_PER_SCALE = 2000
# Rows of a table per row of a batch up to which fetching takes less time than to
# scatter: 14.5 ms instead of 15.9 for a step of the big network in benchmarks/.
_ROWS_PER_FETCH = 3


class TrainedTable(NamedTuple):
    """A table in training.

    Attributes:
        rows: the n + 1 rows; the last one is "unknown".
        slot: [n + 1] int32, scratch space to find equal indices in a batch.
    """

    rows: optimizer.Rows
    slot: Any


class TrainingState(NamedTuple):
    """Everything that a step changes.

    Attributes:
        user, item: the tables of users and items.
        dense: for each weight of the network its value and two moments.
        random: the states of the network's seed generators.
        step: int64, how many steps were done.
        scale: [2] float32: the factor of the loss, and how many steps ago that changed.
    """

    user: TrainedTable
    item: TrainedTable
    dense: Any
    random: Any
    step: Any
    scale: Any


class GroupBatch(NamedTuple):
    """The groups of a step, or one replica's share of them.

    Attributes:
        users: [g] int32, the user of each group.
        items: [g, group_size] int32, the positive first.
        weights: [g] float32: 1 divided by the number of the step's real rows; 0 for a
            group that only fills the batch up.
    """

    users: Any
    items: Any
    weights: Any


class Gradients(NamedTuple):
    """The gradients of a batch. Replicas sum theirs to those of the whole step.

    Attributes:
        user: [g, width] in sparse use, [n + 1, width] in dense use.
        item: [g * group_size, width] in sparse use, [n + 1, width] in dense use.
        dense: the gradient of each weight of the network.
        loss: scalar, the mean cross-entropy of the rows, without penalties.
    """

    user: Any
    item: Any
    dense: Any
    loss: Any


class TrainingStep:
    """The arithmetic of a step; it holds no state of its own."""

    def __init__(
        self,
        scorer: layers.Scorer,
        adam: optimizer.Adam,
        *,
        dense_users: bool,
        dense_items: bool,
        precision: str = "float32",
    ) -> None:
        """Chooses how the tables are used, and in which precision to compute."""
        self._scorer = scorer
        self._adam = adam
        self._dtype = precision.removeprefix("mixed_")
        self._scaled = self._dtype == "float16"
        self._dense_users = dense_users
        self._dense_items = dense_items

    def gradients(
        self,
        state: TrainingState,
        batch: GroupBatch,
        decay_steps: tf.Tensor,
        *,
        replicas: int = 1,
    ) -> tuple[Gradients, Any]:
        """Returns the gradients of the batch and the new `TrainingState.random`.

        The gradients are those of the weighted cross-entropy, of the L2 penalty of the
        rows, and of the kernels' L2 penalty divided by the number of replicas. In
        float16 a gradient that overflowed is not finite.
        """
        scorer = self._scorer
        items = tf.reshape(batch.items, [-1])
        inputs = [
            self._values(
                state.user, batch.users, self._dense_users, state, decay_steps
            ),
            self._values(state.item, items, self._dense_items, state, decay_steps),
            *(value for value, _, _ in state.dense),
        ]
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            mapping = [
                *zip(scorer.trainable_variables, inputs[2:], strict=True),
                *zip(scorer.non_trainable_variables, state.random, strict=True),
            ]
            user_rows, item_rows = (tf.cast(rows, self._dtype) for rows in inputs[:2])
            with keras.StatelessScope(state_mapping=mapping) as scope:
                user, user_penalty = self._spread(
                    scorer.user_part(user_rows),
                    scorer.row_penalty(inputs[0]),
                    batch.users[:, tf.newaxis],
                    self._dense_users,
                )
                item, item_penalty = self._spread(
                    scorer.item_part(item_rows),
                    scorer.row_penalty(inputs[1]),
                    batch.items,
                    self._dense_items,
                )
                logits = scorer.combine(user, item, training=True)
                kernels = scorer.kernel_penalty() / replicas
            weights = batch.weights[:, tf.newaxis]
            loss = tf.reduce_sum(_cross_entropy(logits) * weights)
            rows = tf.reduce_sum((user_penalty + item_penalty) * weights)
            total = loss + rows + kernels
            if self._scaled:
                total = total * state.scale[0]
        user, item, *dense = tape.gradient(total, inputs)
        if self._scaled:
            user, item, *dense = (g / state.scale[0] for g in (user, item, *dense))
        random = [scope.get_current_value(v) for v in scorer.non_trainable_variables]
        return Gradients(user, item, dense, loss), random

    def place(
        self, gradients: Gradients, replica: tf.Tensor, replicas: int
    ) -> Gradients:
        """Returns gradients that replicas may sum.

        In sparse use the gradients of rows are put where the replica's groups stand in
        the whole step, and are 0 elsewhere.
        """

        def placed(gradient: tf.Tensor, dense: bool) -> tf.Tensor:
            if dense:
                return gradient
            before = replica * gradient.shape[0]
            after = (replicas - 1 - replica) * gradient.shape[0]
            return tf.pad(gradient, [[before, after], [0, 0]])

        return gradients._replace(
            user=placed(gradients.user, self._dense_users),
            item=placed(gradients.item, self._dense_items),
        )

    def apply(
        self,
        state: TrainingState,
        users: tf.Tensor,
        items: tf.Tensor,
        gradients: Gradients,
        random: Any,
        decay_steps: tf.Tensor,
    ) -> TrainingState:
        """Returns the state after Adam's step.

        In float16, gradients that are not finite change nothing but the loss scale.

        Args:
            state: the state before the step.
            users: [g] int32, those of all replicas.
            items: [g, group_size] int32, those of all replicas.
            gradients: the sum over all replicas of what `place` returned.
            random: the new `TrainingState.random`.
            decay_steps: as in `optimizer.Adam.rate`.
        """
        step = state.step + 1
        rate = self._adam.rate(tf.cast(step, tf.float32), decay_steps)
        keep = self._keeper(gradients)

        def table(
            old: TrainedTable, index: tf.Tensor, gradient: Any, dense: bool
        ) -> TrainedTable:
            if not dense:
                return self._update_some(old, index, gradient, state, decay_steps, keep)
            rows = self._adam.update_rows(old.rows, gradient, step, decay_steps)
            return old._replace(rows=tf.nest.map_structure(keep, rows, old.rows))

        flat = tf.reshape(items, [-1])
        weights = []
        for old, gradient in zip(state.dense, gradients.dense, strict=True):
            value, first, second = old
            new = self._adam.update(value, first, second, gradient, rate)
            weights.append(tf.nest.map_structure(keep, new, old))
        return TrainingState(
            user=table(state.user, users, gradients.user, self._dense_users),
            item=table(state.item, flat, gradients.item, self._dense_items),
            dense=weights,
            random=random,
            step=keep(step, state.step),
            scale=self._next_scale(state.scale, keep),
        )

    def _keeper(self, gradients: Gradients) -> Callable[[Any, Any], Any]:
        """Returns a function of (new, old) that chooses what the step keeps."""
        if not self._scaled:
            return lambda new, old: new
        finite = tf.reduce_all(
            [
                tf.reduce_all(tf.math.is_finite(gradient))
                for gradient in (gradients.user, gradients.item, *gradients.dense)
            ]
        )
        return lambda new, old: tf.where(finite, new, old)

    def _next_scale(
        self, scale: tf.Tensor, keep: Callable[[Any, Any], Any]
    ) -> tf.Tensor:
        """Doubles the scale after many finite steps, halves it after another one."""
        if not self._scaled:
            return scale
        value, good = scale[0], scale[1] + 1.0
        grown = tf.where(good < _STEPS_PER_SCALE, [value, good], [2.0 * value, 0.0])
        return keep(grown, tf.stack([tf.maximum(0.5 * value, 1.0), 0.0]))

    def _values(
        self,
        table: TrainedTable,
        index: tf.Tensor,
        dense: bool,
        state: TrainingState,
        decay_steps: tf.Tensor,
    ) -> tf.Tensor:
        """Returns the embeddings of all rows in dense use, otherwise at `index`."""
        rows = (
            table.rows if dense else self._read(table, index, state.step, decay_steps)
        )
        return rows.values

    def _read(
        self,
        table: TrainedTable,
        index: tf.Tensor,
        now: tf.Tensor,
        decay_steps: tf.Tensor,
    ) -> optimizer.Rows:
        """Returns the rows at `index`, after the steps that they missed."""
        return self._adam.catch_up(table.rows.at(index), now, decay_steps)

    def _spread(
        self, part: layers.Part, penalty: Any, index: tf.Tensor, dense: bool
    ) -> tuple[layers.Part, Any]:
        """Returns part and penalty with the shape of `index` as leading shape."""
        if dense:
            return layers.gather(part, index), tf.gather(penalty, index)
        fields = [
            None
            if field is None
            else tf.reshape(field, [*index.shape, *field.shape[1:]])
            for field in (*part, penalty)
        ]
        return layers.Part(*fields[:-1]), fields[-1]

    def _update_some(
        self,
        table: TrainedTable,
        index: tf.Tensor,
        gradient: tf.Tensor,
        before: TrainingState,
        decay_steps: tf.Tensor,
        keep: Callable[[Any, Any], Any],
    ) -> TrainedTable:
        """Returns the table after the step that follows `before`, at `index`.

        Gradients of equal indices are summed: all of them find the same position in
        `slot`, are added there, and read the sum, so they write equal rows.
        """
        at = index[:, tf.newaxis]
        slot = tf.tensor_scatter_nd_update(table.slot, at, tf.range(index.shape[0]))
        first = tf.gather(slot, index)
        total = tf.math.unsorted_segment_sum(gradient, first, index.shape[0])
        # `gradients` reads the same rows, so XLA does this once.
        old = self._read(table, index, before.step, decay_steps)
        new = self._adam.update_rows(
            old, tf.gather(total, first), before.step + 1, decay_steps
        )
        changed = tf.nest.map_structure(keep, new, old)
        return TrainedTable(_written(table.rows, index, slot, changed), slot)


def _written(
    table: optimizer.Rows, index: tf.Tensor, slot: tf.Tensor, rows: optimizer.Rows
) -> optimizer.Rows:
    """Returns the n rows of a table with `rows` [k] at `index` [k].

    Equal indices have equal rows, and `slot` [n] has the position in `index` of each
    row of the table that is there. If that is a large part of the table, each row
    fetches its value from there, because XLA does not share a scatter between threads.
    """
    size = table.values.shape[0]  # None on parameter servers.
    if size is None or index.shape[0] < size // _ROWS_PER_FETCH:
        at = index[:, tf.newaxis]
        return tf.nest.map_structure(
            lambda field, new: tf.tensor_scatter_nd_update(field, at, new), table, rows
        )
    used = tf.equal(tf.gather(index, slot), tf.range(size))[:, tf.newaxis]
    return tf.nest.map_structure(
        lambda field, new: tf.where(used, tf.gather(new, slot), field), table, rows
    )


def _cross_entropy(logits: tf.Tensor) -> tf.Tensor:
    """Returns the cross-entropy [g, group_size]; each group's first is the positive."""
    labels = tf.one_hot(tf.zeros_like(logits[:, 0], tf.int32), logits.shape[1])
    return tf.nn.sigmoid_cross_entropy_with_logits(labels=labels, logits=logits)
