"""Runs many training steps in one compiled call.

Keras' `fit` spends most of a small step on Python and on launching operations. Here a
block of steps is one XLA program, and only those rows of a table are read and written
that the batch uses.

A batch consists of groups: a positive and its negatives, which share their user. The
user's half of the work is done once per group. `batch_size` rows are thus
`batch_size // (1 + num_negatives)` groups, at least one. The last step of an epoch may
have fewer groups; its loss is the mean over the rows that it has.
"""

import collections
import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import config
from ncf_model.network import matrix_products, model
from ncf_model.training import optimizer, parameter_server, strategy, training_step

# Rows per compiled call: so many that a call costs little, few enough for progress.
_BLOCK_ROWS = 1 << 17
_SEEDS_APART = 1_000_003


class TrainingLoop:
    """Trains a `model.NeuMF` by blocks of steps.

    The loop keeps its own copy of the weights, next to Adam's moments; `write_weights`
    writes them into the model.
    """

    def __init__(
        self, network: model.NeuMF, settings: config.TrainConfig, *, num_negatives: int
    ) -> None:
        """Makes the variables of the training; compiles nothing yet.

        Call this, unlike the other methods, in the scope of the strategy to train with.
        The variables belong to the strategy, `network` to this process.

        Args:
            network: gives the starting weights, and receives the trained ones.
            settings: batch size, optimizer, precision, and whether to use XLA.
            num_negatives: per positive, 1 or more.
        """
        self._network = network
        self._strategy = tf.distribute.get_strategy()
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
        remote = isinstance(self._strategy, tf.distribute.ParameterServerStrategy)
        waits = _rows_may_wait(self._adam, settings, remote=remote)
        self._step = training_step.TrainingStep(
            network.scorer,
            self._adam,
            dense_users=not waits
            or (self.groups_per_step > network.num_users and not remote),
            dense_items=not waits or (rows_per_step > network.num_items and not remote),
            precision=_set_precision(settings, self._strategy),
        )
        self._jit_compile = settings.jit_compile
        self._replicas = self._strategy.num_replicas_in_sync
        self._variables = tf.nest.map_structure(
            _remote if remote else strategy.per_replica, self._initial()
        )
        self._servers = (
            parameter_server.ParameterServerBlocks(
                self._strategy, self._step, self._variables, self._batch, self.steps
            )
            if remote
            else None
        )

    def _initial(self) -> training_step.TrainingState:
        def table(values: np.ndarray) -> training_step.TrainedTable:
            slot = np.zeros(len(values), np.int32)
            return training_step.TrainedTable(self._adam.start(values), slot)

        scorer = self._network.scorer
        # These are copies: a block writes in place, and `numpy()` may return a view.
        weights = [np.array(w.numpy()) for w in scorer.trainable_variables]
        return training_step.TrainingState(
            user=table(self._network.user_table.embeddings.numpy()),
            item=table(self._network.item_table.embeddings.numpy()),
            dense=[(w, np.zeros_like(w), np.zeros_like(w)) for w in weights],
            random=[np.array(v.numpy()) for v in scorer.non_trainable_variables],
            step=np.int64(0),
            scale=np.array([training_step.FIRST_SCALE, 0.0], np.float32),
        )

    def reset(self) -> None:
        """Starts over from the model's present weights, with fresh moments."""
        self._assign(tf.nest.flatten(self._initial()))

    def state(self) -> list[np.ndarray]:
        """Returns, between two epochs, what `restore` needs to continue training."""
        return [np.array(v.numpy()) for v in tf.nest.flatten(self._variables)]

    def restore(self, state: list[np.ndarray]) -> None:
        """Puts back what `state` returned, in the model, too."""
        self._assign(state)
        self._copy_to_model()

    def _assign(self, state: list[np.ndarray]) -> None:
        for variable, value in zip(
            tf.nest.flatten(self._variables), state, strict=True
        ):
            variable.assign(value)

    def steps(self, groups: Any) -> Any:
        """Returns how many steps an epoch of so many groups takes."""
        return -(-groups // self.groups_per_step)

    def epoch(
        self, users: np.ndarray, items: np.ndarray, decay_steps: int, *, name: str
    ) -> Iterator[tuple[int, float]]:
        """Trains on the groups in order, block by block.

        Args:
            users: [groups] int32.
            items: [groups, group_size] int32, the positive first.
            decay_steps: steps of a cosine schedule; 0 keeps the learning rate.
            name: the name of this epoch in error messages.

        Yields:
            After each block how many groups are done, and the mean cross-entropy of
            their rows.

        Raises:
            ValueError: a step's loss is not finite.
        """
        done, total = 0, 0.0
        for count, result in self._blocks(users, items, decay_steps):
            losses = self._losses(result, count)
            bad = np.flatnonzero(~np.isfinite(losses))
            if len(bad):
                step = done // self.groups_per_step + bad[0] + 1
                raise ValueError(
                    f"The loss must be finite; in step {step} of {name} it is "
                    f"{losses[bad[0]]}. Try a smaller `train.learning_rate`."
                )
            sizes = np.full(len(losses), self.groups_per_step)
            sizes[-1] = count - sizes[:-1].sum()
            total += float(losses.astype(np.float64) @ sizes)
            done += count
            yield done, total / done

    def _blocks(
        self, users: np.ndarray, items: np.ndarray, decay_steps: int
    ) -> Iterator[tuple[int, Any]]:
        """Yields each block's number of groups, and what `_losses` takes."""
        block = self.steps_per_block * self.groups_per_step
        ahead = parameter_server.BLOCKS_AHEAD if self._servers else 0
        pending: collections.deque[tuple[int, Any]] = collections.deque()
        for start in range(0, len(users), block):
            rows = slice(start, start + block)
            result = self._run(users[rows], items[rows], decay_steps)
            pending.append((len(users[rows]), result))
            if len(pending) > ahead:
                yield pending.popleft()
        yield from pending

    def _run(self, users: np.ndarray, items: np.ndarray, decay_steps: int) -> Any:
        """Starts a block or runs it; returns what `_losses` takes."""
        count = len(users)
        share = -(-self.groups_per_step // self._replicas)
        shape = (self.steps_per_block, self._replicas * share)
        # Groups that fill the block up have "unknown" as user and items, and weight 0.
        users = _filled(users, self.groups_per_step, shape, self._network.num_users)
        items = _filled(items, self.groups_per_step, shape, self._network.num_items)
        args = (
            tf.constant(users),
            tf.constant(items),
            tf.constant(count, tf.int32),
            tf.constant(decay_steps, tf.float32),
        )
        if self._servers:
            return self._servers(*args)
        on_tpu = isinstance(self._strategy, tf.distribute.TPUStrategy)
        if self._replicas == 1 and not on_tpu:
            return self._strategy.run(self._run_compiled, args)
        return self._run_replicas(*args)

    def _losses(self, result: Any, count: int) -> np.ndarray:
        """Returns each step's mean cross-entropy over its rows, [steps] float32."""
        losses = result.fetch() if self._servers else result.numpy()
        return losses[: self.steps(count)]

    @functools.cached_property
    def _run_compiled(self) -> Any:
        """Returns a function that runs a block as one XLA program, for one replica."""

        @tf.function(jit_compile=self._jit_compile, autograph=False)
        def run(
            users: tf.Tensor, items: tf.Tensor, count: tf.Tensor, decay_steps: tf.Tensor
        ) -> tf.Tensor:
            # XLA reads a step's items faster from one axis than from two.
            flat = tf.reshape(items, [items.shape[0], -1])

            def body(i: tf.Tensor, state: Any, losses: tf.Tensor) -> Any:
                own = tf.reshape(flat[i], items.shape[1:])
                batch = self._batch(users[i], own, i, count)
                gradients, random = self._step.gradients(state, batch, decay_steps)
                state = self._step.apply(
                    state, batch.users, batch.items, gradients, random, decay_steps
                )
                losses = tf.tensor_scatter_nd_update(losses, [[i]], [gradients.loss])
                return i + 1, state, losses

            steps = self.steps(count)
            state = tf.nest.map_structure(tf.convert_to_tensor, self._variables)
            start = (tf.constant(0), state, tf.zeros([self.steps_per_block]))
            _, state, losses = tf.while_loop(lambda i, *_: i < steps, body, start)
            tf.nest.map_structure(lambda v, x: v.assign(x), self._variables, state)
            return losses

        return run

    @tf.function(autograph=False)
    def _run_replicas(
        self,
        users: tf.Tensor,
        items: tf.Tensor,
        count: tf.Tensor,
        decay_steps: tf.Tensor,
    ) -> tf.Tensor:
        """Runs a block of steps in each of which replicas exchange gradients."""

        def body(i: tf.Tensor, losses: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            args = (users[i], items[i], i, count, decay_steps)
            loss = self._strategy.run(self._replica_step, args)
            loss = self._strategy.experimental_local_results(loss)[0]
            return i + 1, tf.tensor_scatter_nd_update(losses, [[i]], [loss])

        start = (tf.constant(0), tf.zeros([self.steps_per_block]))
        steps = self.steps(count)
        return tf.while_loop(lambda i, _: i < steps, body, start)[1]

    def _replica_step(
        self,
        users: tf.Tensor,
        items: tf.Tensor,
        step: tf.Tensor,
        count: tf.Tensor,
        decay_steps: tf.Tensor,
    ) -> tf.Tensor:
        """Computes one replica's share of the groups, then applies all updates."""
        context = tf.distribute.get_replica_context()
        replicas = self._replicas
        share = users.shape[0] // replicas
        first = context.replica_id_in_sync_group * share
        own_users, own_items = (
            tf.ensure_shape(values[first : first + share], [share, *values.shape[1:]])
            for values in (users, items)
        )
        batch = self._batch(own_users, own_items, step, count, first)
        state = tf.nest.map_structure(tf.convert_to_tensor, self._variables)
        # The seeds of the replicas are far apart, so each drops different units.
        apart = context.replica_id_in_sync_group * _SEEDS_APART
        seeds = [seed + tf.cast(apart, seed.dtype) for seed in state.random]
        gradients, seeds = self._step.gradients(
            state._replace(random=seeds), batch, decay_steps, replicas=replicas
        )
        random = [seed - tf.cast(apart, seed.dtype) for seed in seeds]
        gradients = self._step.place(
            gradients, context.replica_id_in_sync_group, replicas
        )
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        state = self._step.apply(state, users, items, gradients, random, decay_steps)
        tf.nest.map_structure(lambda v, x: v.assign(x), self._variables, state)
        return gradients.loss

    def _batch(
        self,
        users: tf.Tensor,
        items: tf.Tensor,
        step: tf.Tensor,
        count: tf.Tensor,
        first: Any = 0,
    ) -> training_step.GroupBatch:
        """Returns a step's groups, from number `first` of a block of `count` groups."""
        real = tf.minimum(count - step * self.groups_per_step, self.groups_per_step)
        is_real = tf.range(users.shape[0]) + first < real
        weight = 1.0 / tf.cast(real * self.group_size, tf.float32)
        return training_step.GroupBatch(users, items, tf.where(is_real, weight, 0.0))

    def write_weights(self, *, decay_steps: int) -> None:
        """Brings all rows up to date and writes the weights into the model."""
        self._catch_up_everywhere(tf.constant(decay_steps, tf.float32))
        self._copy_to_model()

    def _copy_to_model(self) -> None:
        network, state = self._network, self._variables
        for table, trained in (
            (network.user_table, state.user),
            (network.item_table, state.item),
        ):
            table.embeddings.assign(trained.rows.values.numpy())
        weights = zip(network.scorer.trainable_variables, state.dense, strict=True)
        for variable, (value, _, _) in weights:
            variable.assign(value.numpy())

    @tf.function(autograph=False)
    def _catch_up_everywhere(self, decay_steps: tf.Tensor) -> None:
        if self._servers:
            self._catch_up(decay_steps)
        else:
            self._strategy.run(self._catch_up, (decay_steps,))

    def _catch_up(self, decay_steps: tf.Tensor) -> None:
        state = self._variables
        step = tf.convert_to_tensor(state.step)
        for table in (state.user, state.item):
            rows = tf.nest.map_structure(tf.convert_to_tensor, table.rows)
            rows = self._adam.catch_up(rows, step, decay_steps)
            tf.nest.map_structure(lambda v, x: v.assign(x), table.rows, rows)


def _rows_may_wait(
    adam: optimizer.Adam, settings: config.TrainConfig, *, remote: bool
) -> bool:
    """Returns whether a table's rows are updated only where a batch uses them.

    Raises:
        ValueError: every row must be updated in every step, which parameter servers
            cannot do.
    """
    if adam.rows_can_wait:
        return True
    betas = f"`beta1` {settings.beta1} and `beta2` {settings.beta2}"
    if remote:
        raise ValueError(
            f"With {betas} every row must be updated in every step, which parameter "
            "servers cannot do. Set a `train.beta1` of at most 0.96 * sqrt(beta2) and "
            "a `train.beta2` of at least 0.9, or another `train.strategy`."
        )
    logging.warning("%s: every row is updated in every step, which is slow.", betas)
    return False


def _set_precision(
    settings: config.TrainConfig, strategy: tf.distribute.Strategy
) -> str:
    """Sets how this process multiplies matrices; returns the type that steps use.

    Raises:
        ValueError: the precision is float32, but this process rounds products.
    """
    if settings.precision == "float32" and matrix_products.are_rounded():
        raise ValueError(
            "`train.precision` is float32, but a training before this one, or "
            "ONEDNN_DEFAULT_FPMATH_MODE, has set this process to round the factors of "
            "matrix products to bfloat16. Train in a process of its own."
        )
    devices = {device.device_type for device in tf.config.list_logical_devices()}
    remote = isinstance(strategy, tf.distribute.ParameterServerStrategy)
    compiled = (
        settings.jit_compile and strategy.num_replicas_in_sync == 1 and not remote
    )
    if settings.precision == "mixed_bfloat16" and compiled and devices == {"CPU"}:
        matrix_products.round_to_bfloat16()
        if matrix_products.are_rounded():
            return "float32"
    return settings.precision


def _remote(value: np.ndarray) -> tf.Variable:
    """Returns a variable whose only copy is on a parameter server."""
    return tf.Variable(value, trainable=False)


def _filled(
    values: np.ndarray, per_step: int, shape: tuple[int, int], unknown: int
) -> np.ndarray:
    """Returns `values`, filled up with `unknown`, in the shape [*shape, ...]."""
    steps, width = shape
    rest = [(0, 0)] * (values.ndim - 1)
    padding = [(0, steps * per_step - len(values)), *rest]
    filled = np.pad(values, padding, constant_values=unknown)
    filled = filled.reshape(steps, per_step, *values.shape[1:])
    padding = [(0, 0), (0, width - per_step), *rest]
    return np.pad(filled, padding, constant_values=unknown)
