"""Training steps on tables that live on parameter servers.

A step fetches the rows that its batch needs and writes them back. The fetched rows are
numbered from 0, so that the step itself is the same as on one machine, with small
tables.

Workers do not wait for each other. Where two workers change the same row at once, the
later writer wins, as is usual with this strategy. With one worker the training is
exactly the same as on one device.
"""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from ncf_model.training import optimizer, training_step

# How many blocks are handed out before the losses of the first are waited for: enough
# for as many workers, and little memory.
BLOCKS_AHEAD = 64


class ParameterServerBlocks:
    """Runs blocks of steps on a cluster's workers."""

    def __init__(
        self,
        strategy: tf.distribute.ParameterServerStrategy,
        step: training_step.TrainingStep,
        variables: training_step.TrainingState,
        batch: Callable[..., training_step.GroupBatch],
        steps: Callable[[Any], Any],
    ) -> None:
        """Connects to the workers.

        Args:
            strategy: in whose scope `variables` were made.
            step: the arithmetic of a step, with sparse use of both tables.
            variables: the state of the training.
            batch: returns the groups of a step, as `TrainingLoop` does.
            steps: returns how many steps a number of groups takes.
        """
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(strategy)
        self._step = step
        self._variables = variables
        self._batch = batch
        self._steps = steps

    def __call__(self, *args: tf.Tensor) -> Any:
        """Hands a block to the next free worker; returns a handle on its losses."""
        return self._coordinator.schedule(self._run, args=args)

    @tf.function(autograph=False)
    def _run(
        self,
        users: tf.Tensor,
        items: tf.Tensor,
        count: tf.Tensor,
        decay_steps: tf.Tensor,
    ) -> tf.Tensor:
        def body(i: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            batch = self._batch(users[i], items[i], i, count)
            loss = self._one(batch, decay_steps)
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [loss])

        start = (tf.constant(0), tf.zeros([users.shape[0]]))
        steps = self._steps(count)
        return tf.while_loop(lambda i, _: i < steps, body, start)[1]

    def _one(
        self, batch: training_step.GroupBatch, decay_steps: tf.Tensor
    ) -> tf.Tensor:
        """Does one step; returns its loss."""
        variables = self._variables
        users, user_rows, user_index = _fetched(variables.user, batch.users)
        items, item_rows, item_index = _fetched(variables.item, batch.items)
        # Another worker may have brought rows beyond the step that is read here.
        step = tf.convert_to_tensor(variables.step)
        for rows in (user_rows, item_rows):
            step = tf.maximum(step, tf.reduce_max(rows.steps))
        state = training_step.TrainingState(
            user=training_step.TrainedTable(user_rows, tf.zeros_like(users)),
            item=training_step.TrainedTable(item_rows, tf.zeros_like(items)),
            dense=tf.nest.map_structure(tf.convert_to_tensor, variables.dense),
            random=[tf.convert_to_tensor(v) for v in variables.random],
            step=step,
            scale=tf.convert_to_tensor(variables.scale),
        )
        small = batch._replace(users=user_index, items=item_index)
        gradients, random = self._step.gradients(state, small, decay_steps)
        after = self._step.apply(
            state, small.users, small.items, gradients, random, decay_steps
        )
        _write_back(variables.user, users, after.user)
        _write_back(variables.item, items, after.item)
        variables.step.assign_add(after.step - step)
        for field in ("dense", "random", "scale"):
            tf.nest.map_structure(
                lambda variable, value: variable.assign(value),
                getattr(variables, field),
                getattr(after, field),
            )
        return gradients.loss


def _fetched(
    table: training_step.TrainedTable, index: tf.Tensor
) -> tuple[tf.Tensor, optimizer.Rows, tf.Tensor]:
    """Returns the distinct indices, their rows, and positions of `index` in them."""
    distinct, position = tf.unique(tf.reshape(index, [-1]))
    position = tf.ensure_shape(position, [index.shape.num_elements()])
    return distinct, table.rows.at(distinct), tf.reshape(position, index.shape)


def _write_back(
    table: training_step.TrainedTable,
    index: tf.Tensor,
    after: training_step.TrainedTable,
) -> None:
    """Writes the rows of `after` back to where `_fetched` took them from."""
    for variable, rows in zip(table.rows, after.rows, strict=True):
        variable.scatter_nd_update(index[:, tf.newaxis], rows)
