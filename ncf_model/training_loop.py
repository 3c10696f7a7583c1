"""Many training steps in one call, compiled.

Keras' `fit` spends most of a small step on Python and on launching operations. Here a
block of steps is one XLA program, and a table's rows are read and written only where
the batch uses them.

A batch is made of groups: a positive and its negatives, which share their user. The
user's half of the work is done once per group. `batch_size` rows are thus
`batch_size // (1 + num_negatives)` groups, at least one. Where the rows run out, the
last step of an epoch has fewer; its loss is the mean over those it has.
"""

import functools
from collections.abc import Iterator
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from ncf_model import config, model, optimizer

# Rows per compiled call: enough to hide the call, few enough to report progress.
_BLOCK_ROWS = 1 << 17


class Table(NamedTuple):
    """A table in training: packed rows of `optimizer.Adam` and when each was updated.

    Attributes:
        rows: [n + 1, 3 * width] float32, the last row being "unknown".
        last: [n + 1] int32, the step after which a row stands.
        slot: [n + 1] int32, scratch space to find equal indices in a batch.
    """

    rows: Any
    last: Any
    slot: Any


class State(NamedTuple):
    """Everything a step changes.

    Attributes:
        user, item: the tables.
        dense: per weight of the network its value and two moments.
        random: values of the network's seed generators.
        step: int32, steps done.
    """

    user: Table
    item: Table
    dense: Any
    random: Any
    step: Any


class TrainingLoop:
    """Trains a `model.NeuMF` by blocks of steps.

    The loop keeps its own copy of the weights, next to Adam's moments; `publish`
    writes them into the model.
    """

    def __init__(
        self, network: model.NeuMF, settings: config.TrainConfig, *, num_negatives: int
    ) -> None:
        """Allocates the moments; nothing is compiled before the first block.

        Args:
            network: gives the starting weights, and receives the trained ones.
            settings: batch size and optimizer.
            num_negatives: per positive, 1 or more.
        """
        self._network = network
        self._scorer = network.scorer
        self._adam = optimizer.Adam(
            learning_rate=settings.learning_rate,
            beta1=settings.beta1,
            beta2=settings.beta2,
            epsilon=settings.epsilon,
        )
        self.group_size = 1 + num_negatives
        self.groups_per_step = max(1, settings.batch_size // self.group_size)
        rows_per_step = self.groups_per_step * self.group_size
        self.steps_per_block = max(1, _BLOCK_ROWS // rows_per_step)
        self._variables = tf.nest.map_structure(
            lambda value: tf.Variable(value, trainable=False), self._initial()
        )

    def _initial(self) -> State:
        def table(values: np.ndarray) -> Table:
            zeros = np.zeros(len(values), np.int32)
            rows = np.pad(values, ((0, 0), (0, 2 * values.shape[1])))
            return Table(rows, zeros, zeros)

        weights = [w.numpy() for w in self._scorer.trainable_variables]
        return State(
            user=table(self._network.user_table.embeddings.numpy()),
            item=table(self._network.item_table.embeddings.numpy()),
            dense=[(w, np.zeros_like(w), np.zeros_like(w)) for w in weights],
            random=[v.numpy() for v in self._scorer.non_trainable_variables],
            step=np.int32(0),
        )

    def reset(self) -> None:
        """Starts over from the model's present weights, with fresh moments."""
        tf.nest.map_structure(
            lambda variable, value: variable.assign(value),
            self._variables,
            self._initial(),
        )

    def steps(self, groups: Any) -> Any:
        """Returns how many steps an epoch of so many groups takes."""
        return -(-groups // self.groups_per_step)

    def epoch(
        self, users: np.ndarray, items: np.ndarray, horizon: int, *, name: str
    ) -> Iterator[tuple[int, float]]:
        """Trains on the groups in order, block by block.

        Args:
            users: [groups] int32.
            items: [groups, group_size] int32, the positive first.
            horizon: steps until a cosine schedule ends; 0 for a constant rate.
            name: what an error calls this epoch.

        Yields:
            After each block how many groups are done, and the mean cross-entropy of
            their rows.

        Raises:
            ValueError: a step's loss is not finite.
        """
        block = self.steps_per_block * self.groups_per_step
        total = 0.0
        for start in range(0, len(users), block):
            rows = slice(start, start + block)
            losses = self._run_block(users[rows], items[rows], horizon)
            bad = np.flatnonzero(~np.isfinite(losses))
            if len(bad):
                step = start // self.groups_per_step + bad[0] + 1
                raise ValueError(
                    f"The loss must be finite; in step {step} of {name} it is "
                    f"{losses[bad[0]]}. Try a smaller `train.learning_rate`."
                )
            sizes = np.full(len(losses), self.groups_per_step)
            sizes[-1] = len(users[rows]) - sizes[:-1].sum()
            total += float(losses.astype(np.float64) @ sizes)
            done = min(start + block, len(users))
            yield done, total / done

    def _run_block(
        self, users: np.ndarray, items: np.ndarray, horizon: int
    ) -> np.ndarray:
        """Returns each step's mean cross-entropy over its rows, [steps] float32."""
        count = len(users)
        shape = (self.steps_per_block, self.groups_per_step)
        # Groups that only fill the block up belong to the "unknown" rows and weigh 0.
        padding = (0, shape[0] * shape[1] - count)
        users = np.pad(users, padding, constant_values=self._network.num_users)
        items = np.pad(
            items, (padding, (0, 0)), constant_values=self._network.num_items
        )
        losses = self._run(
            tf.constant(users.reshape(shape)),
            tf.constant(items.reshape(*shape, self.group_size)),
            tf.constant(count, tf.int32),
            tf.constant(horizon, tf.float32),
        )
        return losses.numpy()[: self.steps(count)]

    @functools.cached_property
    def _run(self) -> Any:
        @tf.function(jit_compile=True)
        def run(
            users: tf.Tensor, items: tf.Tensor, count: tf.Tensor, horizon: tf.Tensor
        ) -> tf.Tensor:
            steps = self.steps(count)

            def body(i: tf.Tensor, state: State, losses: tf.Tensor) -> Any:
                real = count - i * self.groups_per_step
                state, loss = self._step(state, users[i], items[i], real, horizon)
                losses = tf.tensor_scatter_nd_update(losses, [[i]], [loss])
                return i + 1, state, losses

            state = tf.nest.map_structure(tf.convert_to_tensor, self._variables)
            start = (tf.constant(0), state, tf.zeros([self.steps_per_block]))
            _, state, losses = tf.while_loop(lambda i, *_: i < steps, body, start)
            tf.nest.map_structure(lambda v, x: v.assign(x), self._variables, state)
            return losses

        return run

    def _step(
        self,
        state: State,
        users: tf.Tensor,
        items: tf.Tensor,
        real: tf.Tensor,
        horizon: tf.Tensor,
    ) -> tuple[State, tf.Tensor]:
        """Returns the state after one step, and the step's loss."""
        flat = tf.reshape(items, [-1])
        user_rows = self._read(state.user, users, state.step, horizon)
        item_rows = self._read(state.item, flat, state.step, horizon)
        width = self._scorer.width
        inputs = [
            user_rows[:, :width],
            item_rows[:, :width],
            *(value for value, _, _ in state.dense),
        ]
        loss, gradients, random = self._gradients(inputs, state.random, real)
        step = state.step + 1
        rate = self._adam.rate(step, horizon)
        return State(
            user=self._write(state.user, users, user_rows, gradients[0], step, rate),
            item=self._write(state.item, flat, item_rows, gradients[1], step, rate),
            dense=[
                self._adam.update(*weight, gradient, rate)
                for weight, gradient in zip(state.dense, gradients[2:], strict=True)
            ],
            random=random,
            step=step,
        ), loss

    def _gradients(
        self, inputs: list[tf.Tensor], random: list[tf.Tensor], real: tf.Tensor
    ) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        """Returns the loss of the first `real` groups, its gradients, new seeds.

        The loss returned is the cross-entropy; the gradients include the penalties.
        """
        scorer = self._scorer
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            user_rows, item_rows, *weights = inputs
            user_rows = user_rows[:, tf.newaxis]
            item_rows = tf.reshape(item_rows, [-1, self.group_size, scorer.width])
            mapping = [
                *zip(scorer.trainable_variables, weights, strict=True),
                *zip(scorer.non_trainable_variables, random, strict=True),
            ]
            with keras.StatelessScope(state_mapping=mapping) as scope:
                logits = scorer(user_rows, item_rows, training=True)
                row_penalty = scorer.row_penalty(user_rows, item_rows)
                kernel_penalty = scorer.kernel_penalty()
            entropy = tf.nn.sigmoid_cross_entropy_with_logits(
                labels=tf.broadcast_to(self._labels(), tf.shape(logits)), logits=logits
            )
            weight = self._weights(real)
            loss = tf.reduce_sum(entropy * weight)
            total = loss + tf.reduce_sum(row_penalty * weight) + kernel_penalty
        random = [scope.get_current_value(v) for v in scorer.non_trainable_variables]
        return loss, tape.gradient(total, inputs), random

    def _labels(self) -> tf.Tensor:
        """Returns [group_size] float32: the positive stands first."""
        return tf.one_hot(0, self.group_size)

    def _weights(self, real: tf.Tensor) -> tf.Tensor:
        """Returns [groups_per_step, 1] float32: one over the real rows, or 0."""
        real = tf.minimum(real, self.groups_per_step)
        is_real = tf.range(self.groups_per_step) < real
        share = 1.0 / tf.cast(real * self.group_size, tf.float32)
        return tf.where(is_real, share, 0.0)[:, tf.newaxis]

    def _read(
        self, table: Table, index: tf.Tensor, now: tf.Tensor, horizon: tf.Tensor
    ) -> tf.Tensor:
        """Returns the packed rows at `index`, up to date."""
        rows, last = tf.gather(table.rows, index), tf.gather(table.last, index)
        return self._adam.catch_up(rows, last, now, horizon)

    def _write(
        self,
        table: Table,
        index: tf.Tensor,
        rows: tf.Tensor,
        gradient: tf.Tensor,
        step: tf.Tensor,
        rate: tf.Tensor,
    ) -> Table:
        """Returns the table after one step of Adam on the rows at `index`.

        Gradients of equal indices are summed: each finds the same one of its equals
        in `slot`, adds itself there and reads the sum, so equals write equal rows.
        """
        place = tf.range(len(index))
        slot = tf.tensor_scatter_nd_update(table.slot, index[:, tf.newaxis], place)
        first = tf.gather(slot, index)
        total = tf.math.unsorted_segment_sum(gradient, first, len(index))
        rows = self._adam.update_rows(rows, tf.gather(total, first), rate)
        at = index[:, tf.newaxis]
        return Table(
            rows=tf.tensor_scatter_nd_update(table.rows, at, rows),
            last=tf.tensor_scatter_nd_update(
                table.last, at, tf.fill([len(index)], step)
            ),
            slot=slot,
        )

    def publish(self, *, horizon: int) -> None:
        """Brings all rows up to date and writes the weights into the model."""
        self._catch_up_all(tf.constant(horizon, tf.float32))
        width = self._scorer.width
        network, state = self._network, self._variables
        network.user_table.embeddings.assign(state.user.rows[:, :width])
        network.item_table.embeddings.assign(state.item.rows[:, :width])
        weights = zip(self._scorer.trainable_variables, state.dense, strict=True)
        for variable, (value, _, _) in weights:
            variable.assign(value)

    @tf.function(jit_compile=True)
    def _catch_up_all(self, horizon: tf.Tensor) -> None:
        state = self._variables
        for table in (state.user, state.item):
            rows = self._adam.catch_up(
                tf.convert_to_tensor(table.rows), table.last, state.step, horizon
            )
            table.rows.assign(rows)
            table.last.assign(tf.fill(tf.shape(table.last), state.step))
