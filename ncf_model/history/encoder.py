"""The deep part: a user's vector from their row and their history, and its training.

    vector(u) = P_u + sum of Y_j over the items j of u / sqrt(n_u)
    logit(u, i) = vector(u) . Q_i + b_i

This is Koren's SVD++ (2008) without ratings, and FISM (Kabbur, 2013) where users have
no row P_u. In training an item must not predict itself: Y_i . Q_i / sqrt(n) is
subtracted from the logit of each item i that the user has, and a part of the history is
hidden (Liang, 2018). The loss is the cross-entropy of each of a user's items against
all items that the user does not have.
"""

import functools
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ncf_model import config
from ncf_model.history import batches
from ncf_model.training import strategy

_STDDEV = 0.05
_BETA1, _BETA2, _EPSILON = 0.9, 0.999, 1e-8
_NOWHERE = -1e9


class Tables(NamedTuple):
    """The parameters that are learned.

    Attributes:
        user: P, [num_users + 1, factors]; the last row is for places of a batch without
            a user. [1, factors] of zeros where users have no row of their own.
        history: Y, [num_items, factors].
        item: Q, [num_items, factors].
        bias: b, [num_items].
    """

    user: Any
    history: Any
    item: Any
    bias: Any


def start(
    settings: config.HistoryConfig, *, counts: np.ndarray, num_users: int, seed: int
) -> Tables:
    """Returns fresh tables; `bias` begins as the log of the items' popularity.

    Args:
        settings: the network, without any `auto`.
        counts: [num_items], how many users have each item.
        num_users: how many users have a row in P.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    factors = int(settings.factors)  # No `auto` any more.
    shape = (len(counts), factors)
    history, item = (
        rng.standard_normal(shape, np.float32) * np.float32(_STDDEV) for _ in range(2)
    )
    user = np.zeros((num_users + 1, factors), np.float32)
    share = (counts + 1) / (counts.sum() + len(counts)) * len(counts)
    return Tables(
        user[: None if settings.user_rows else 1],
        history,
        item,
        np.log(share).astype(np.float32),
    )


class Loop:
    """Holds tables and Adam's moments, and does steps under a strategy."""

    def __init__(
        self, tables: Tables, settings: config.HistoryConfig, *, jit_compile: bool
    ) -> None:
        """Makes the variables; called under the scope of the strategy to train with."""
        self._strategy = tf.distribute.get_strategy()
        self._replicas = self._strategy.num_replicas_in_sync
        self._settings = settings
        self._jit_compile = jit_compile
        self._tables = Tables(*map(strategy.per_replica, tables))
        self._moments = [
            Tables(*(strategy.per_replica(np.zeros_like(t)) for t in tables))
            for _ in range(2)
        ]
        self._steps = strategy.per_replica(np.zeros((), np.float32))

    def tables(self) -> Tables:
        """Returns copies of the tables."""
        return Tables(*(np.array(v.numpy()) for v in self._tables))

    def state(self) -> list[np.ndarray]:
        """Returns everything that `restore` needs to continue the training."""
        return [np.array(v.numpy()) for v in self._all()]

    def restore(self, state: list[np.ndarray]) -> None:
        """Puts back what `state` returned."""
        for variable, value in zip(self._all(), state, strict=True):
            variable.assign(value)

    def reset(self, tables: Tables) -> None:
        """Starts over from `tables`."""
        moments = [np.zeros_like(table) for table in tables]
        self.restore([*tables, *moments, *moments, np.zeros((), np.float32)])

    def _all(self) -> list[tf.Variable]:
        return [*self._tables, *self._moments[0], *self._moments[1], self._steps]

    def step(self, batch: batches.UserBatch, *, rate: float, epoch: int) -> tf.Tensor:
        """Does a step; returns the mean cross-entropy of the batch's positives.

        Args:
            batch: the whole batch, however many replicas share it.
            rate: Adam's step size.
            epoch: from 1: how often each user has been seen, this time included.
        """
        whole = batch.columns is None
        columns = np.zeros(0, np.int32) if whole else batch.columns
        run = self._compiled(whole)
        loss = self._strategy.run(
            run,
            (
                tf.constant(batch.rows),
                tf.constant(columns),
                tf.constant(batch.cells),
                tf.constant(batch.correction),
                tf.constant(rate, tf.float32),
                tf.constant(epoch, tf.float32),
            ),
        )
        return self._strategy.experimental_local_results(loss)[0]

    @functools.lru_cache(maxsize=2)  # noqa: B019  # Lives as long as its loop.
    def _compiled(self, whole: bool) -> Any:
        compiled = self._jit_compile and self._replicas == 1

        @tf.function(jit_compile=compiled, autograph=False)
        def run(*args: tf.Tensor) -> tf.Tensor:
            return self._replica_step(whole, *args)

        return run

    def _replica_step(
        self,
        whole: bool,
        rows: tf.Tensor,
        columns: tf.Tensor,
        cells: tf.Tensor,
        correction: tf.Tensor,
        rate: tf.Tensor,
        epoch: tf.Tensor,
    ) -> tf.Tensor:
        """Computes one replica's gradients, then applies those of all replicas."""
        read = (lambda x: x) if whole else (lambda x: tf.gather(x, columns))
        has_rows = self._settings.user_rows
        tables = Tables(*(tf.convert_to_tensor(v) for v in self._tables))
        values = Tables(
            tf.gather(tables.user, rows) if has_rows else tables.user,
            *(read(table) for table in tables[1:]),
        )
        total = tf.reduce_sum(tf.cast(cells > 0, tf.float32))
        with tf.GradientTape() as tape:
            tape.watch(values)
            entropy, penalty = self._loss(values, rows, cells, correction, total)
            loss = entropy + penalty
        gradients = tape.gradient(loss, values)
        if not has_rows:
            gradients = gradients._replace(user=tf.zeros_like(values.user))
        if self._replicas > 1:
            context = tf.distribute.get_replica_context()
            *gradients, entropy = context.all_reduce(
                tf.distribute.ReduceOp.SUM, [*gradients, entropy]
            )
        self._update(Tables(*gradients), whole, rows, columns, rate, epoch)
        return entropy

    def _loss(
        self,
        values: Tables,
        rows: tf.Tensor,
        cells: tf.Tensor,
        correction: tf.Tensor,
        total: tf.Tensor,
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns this replica's share of the cross-entropy and of the penalty."""
        users = values.user
        share = cells.shape[0] // self._replicas
        if self._replicas > 1:
            context = tf.distribute.get_replica_context()
            first = context.replica_id_in_sync_group * share
            cells = tf.ensure_shape(
                cells[first : first + share], [share, cells.shape[1]]
            )
            if self._settings.user_rows:
                users = users[first : first + share]
        owned = tf.cast(cells > 0, tf.float32)
        kept = tf.cast(cells == batches.KEPT, tf.float32)
        size = tf.reduce_sum(owned, axis=1, keepdims=True)
        # The items that stay are scaled up, so that a user's vector keeps its length.
        scale = tf.math.rsqrt(tf.maximum(size, 1.0)) / (1.0 - self._settings.dropout)
        shown = kept * scale
        vectors = users + shown @ values.history
        logits = tf.matmul(vectors, values.item, transpose_b=True) + values.bias
        itself = tf.reduce_sum(values.history * values.item, axis=1)
        logits -= shown * itself
        others = tf.where(owned > 0, _NOWHERE, logits + correction)
        rivals = tf.reduce_logsumexp(others, axis=1, keepdims=True)
        entropy = tf.reduce_sum(owned * tf.nn.softplus(rivals - logits)) / total
        squares = [tf.reduce_sum(tf.square(t)) for t in (values.history, values.item)]
        shared = tf.add_n(squares) / self._replicas
        penalty = shared + tf.reduce_sum(tf.square(users))
        return entropy, self._settings.l2 * penalty / (share * self._replicas)

    def _update(
        self,
        gradients: Tables,
        whole: bool,
        rows: tf.Tensor,
        columns: tf.Tensor,
        rate: tf.Tensor,
        epoch: tf.Tensor,
    ) -> None:
        """Does Adam's step; rows outside the batch keep values and moments."""
        steps = tf.convert_to_tensor(self._steps) + 1.0
        self._steps.assign(steps)
        for name in Tables._fields:
            of_users = name == "user"
            if of_users and not self._settings.user_rows:
                continue
            index = rows if of_users else None if whole else columns
            slots = [getattr(self._tables, name)]
            slots += [getattr(moments, name) for moments in self._moments]
            _adam(
                slots,
                getattr(gradients, name),
                index,
                rate,
                epoch if of_users else steps,
            )


def _adam(
    slots: list[tf.Variable],
    gradient: tf.Tensor,
    index: tf.Tensor | None,
    rate: tf.Tensor,
    steps: tf.Tensor,
) -> None:
    values = [tf.convert_to_tensor(slot) for slot in slots]
    value, first, second = (
        values if index is None else [tf.gather(x, index) for x in values]
    )
    first = _BETA1 * first + (1 - _BETA1) * gradient
    second = _BETA2 * second + (1 - _BETA2) * tf.square(gradient)
    size = rate * tf.sqrt(1 - _BETA2**steps) / (1 - _BETA1**steps)
    new = [value - size * first / (tf.sqrt(second) + _EPSILON), first, second]
    for slot, old, fresh in zip(slots, values, new, strict=True):
        if index is not None:
            fresh = tf.tensor_scatter_nd_update(old, index[:, tf.newaxis], fresh)
        slot.assign(fresh)
