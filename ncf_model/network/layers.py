"""Layers of NeuMF: the tables, and the network from two rows to a logit."""

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from ncf_model.config import ModelConfig
from ncf_model.network import dropout, matrix_products


class Part(NamedTuple):
    """What a user, or an item, adds to a score before the two are combined.

    Attributes:
        gmf: [..., mf_dim], multiplied with the other side's; None without GMF.
        hidden: [..., layers[1]], added to the other side's; None without MLP.
        bias: [...], added to the logit; None without biases.
    """

    gmf: Any
    hidden: Any
    bias: Any


def gather(part: Part, index: Any) -> Part:
    """Returns the entries of `part` at `index`, field by field."""
    return Part(
        *(None if field is None else ops.take(field, index, axis=0) for field in part)
    )


@keras.saving.register_keras_serializable(package="ncf_model")
class Scorer(keras.layers.Layer):
    """NeuMF above the tables: logits from the rows of users and items.

    He et al. (2017), eq. 12: the element-wise product of the GMF halves and the last
    hidden layer of the MLP, weighed by one output layer. A row of a table is
    [gmf | mlp | bias], so that users and items have one table each, as in the official
    NCF.

    The MLP's first layer acts on the concatenation [user, item]. Its kernel is kept as
    two kernels, because W [u, i] = Wu u + Wi i. So a user's part is computed once, with
    however many items it is combined: a positive and its negatives, or the catalogue.

    Shapes:
        user_rows: [..., width] float; item_rows: [..., width] float, broadcast against
            each other over all axes but the last
        output: [...] float, logits

    Args:
        settings: the network; see `ModelConfig`.
        **kwargs: passed to `keras.layers.Layer`.
    """

    def __init__(self, settings: ModelConfig, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.settings = settings
        self.has_gmf = settings.type != "mlp"
        self.has_mlp = settings.type != "gmf"
        self.mf_dim = settings.mf_dim if self.has_gmf else 0
        self.mlp_dim = settings.layers[0] // 2 if self.has_mlp else 0
        self.width = self.mf_dim + self.mlp_dim + settings.biases

    def build(self, *_: Any) -> None:
        if self.has_mlp:
            self._build_mlp(self.settings.layers[1:])
        last = self.settings.layers[-1] if self.has_mlp else 0
        weighed = self.mf_dim if self.settings.gmf_output == "trained" else 0
        if weighed + last:
            self.output_kernel = self.add_weight(
                name="output_kernel",
                shape=(weighed + last, 1),
                initializer="lecun_uniform",
            )
        self.output_bias = self.add_weight(
            name="output_bias", shape=(1,), initializer="zeros"
        )
        self.built = True

    def _build_mlp(self, widths: Sequence[int]) -> None:
        # Both halves of one Glorot-uniform kernel [layers[0], layers[1]].
        limit = (6.0 / (2 * self.mlp_dim + widths[0])) ** 0.5
        self.user_kernel, self.item_kernel = (
            self.add_weight(
                name=f"{side}_kernel",
                shape=(self.mlp_dim, widths[0]),
                initializer=keras.initializers.RandomUniform(-limit, limit),
            )
            for side in ("user", "item")
        )
        self.hidden_bias = self.add_weight(
            name="hidden_bias", shape=(widths[0],), initializer="zeros"
        )
        self.hidden_layers = []
        for before, width in itertools.pairwise(widths):
            dense = keras.layers.Dense(width, activation="relu")
            dense.build((None, before))
            self.hidden_layers.append(dense)
        self.dropout = dropout.HashedDropout(self.settings.dropout)

    def split(self, rows: Any) -> Part:
        """Returns a row's three fields, as views: [gmf | mlp | bias]."""
        end = self.mf_dim + self.mlp_dim
        return Part(
            gmf=rows[..., : self.mf_dim] if self.has_gmf else None,
            hidden=rows[..., self.mf_dim : end] if self.has_mlp else None,
            bias=rows[..., end] if self.settings.biases else None,
        )

    def user_part(self, rows: Any) -> Part:
        """Returns the user's part of a score, multiplied by GMF's output weights."""
        gmf, hidden, bias = self.split(rows)
        if self.has_gmf and self.settings.gmf_output == "trained":
            gmf = gmf * ops.cast(self.output_kernel[: self.mf_dim, 0], gmf.dtype)
        if self.has_mlp:
            hidden = _affine(hidden, self.user_kernel, self.hidden_bias)
        return Part(gmf, hidden, bias)

    def item_part(self, rows: Any) -> Part:
        """Returns the item's part of a score."""
        gmf, hidden, bias = self.split(rows)
        if self.has_mlp:
            hidden = _affine(hidden, self.item_kernel)
        return Part(gmf, hidden, bias)

    def combine(self, user: Part, item: Part, training: bool = False) -> Any:
        """Returns the logits [...] of parts that broadcast against each other."""
        dot = ops.sum(self._wide(user.gmf * item.gmf), axis=-1) if self.has_gmf else 0.0
        return self._meet(user, item, dot, training)

    def combine_all(self, users: Part, items: Part) -> Any:
        """Returns the logits [b, n] of b users with each of n items.

        GMF's contribution is one matrix product, without a tensor [b, n, mf_dim].
        """
        dot = 0.0
        if self.has_gmf:
            dot = self._wide(ops.matmul(users.gmf, ops.transpose(items.gmf)))
        column = Part(*(None if x is None else x[:, None] for x in users))
        return self._meet(column, items, dot, training=False)

    def _meet(self, user: Part, item: Part, dot: Any, training: bool) -> Any:
        logits = self.output_bias[0] + dot
        if self.settings.biases:
            logits = logits + self._wide(user.bias + item.bias)
        if self.has_mlp:
            logits = logits + self._mlp(user.hidden + item.hidden, training)
        return logits

    def _wide(self, values: Any) -> Any:
        return ops.cast(values, self.output_bias.dtype)

    def _mlp(self, hidden: Any, training: bool) -> Any:
        shape = ops.shape(hidden)
        # With two axes every layer is one matrix product.
        x = self.dropout(
            ops.relu(ops.reshape(hidden, (-1, shape[-1]))), training=training
        )
        for dense in self.hidden_layers:
            x = ops.relu(_affine(x, dense.kernel, dense.bias))
            x = self.dropout(x, training=training)
        last = self.settings.layers[-1]
        logits = _affine(x, self.output_kernel[-last:])
        return ops.reshape(ops.cast(logits, self.output_bias.dtype), shape[:-1])

    def call(self, user_rows: Any, item_rows: Any, training: bool = False) -> Any:
        return self.combine(
            self.user_part(user_rows), self.item_part(item_rows), training
        )

    def row_penalty(self, rows: Any) -> Any:
        """Returns the L2 penalty [...] of rows [..., width] of a table.

        `mf_regularization` weighs the GMF field, the first of `mlp_regularization` the
        MLP field; biases have no penalty.
        """
        part = self.split(rows)
        total = ops.zeros(ops.shape(rows)[:-1])
        for weight, field in (
            (self.settings.mf_regularization, part.gmf),
            (self.settings.mlp_regularization[0], part.hidden),
        ):
            if weight and field is not None:
                total = total + weight * ops.sum(ops.square(field), axis=-1)
        return total

    def kernel_penalty(self) -> Any:
        """Returns the L2 penalty of the MLP's kernels, a scalar."""
        total = 0.0
        if not self.has_mlp:
            return total
        kernels = [[self.user_kernel, self.item_kernel]]
        kernels += [[dense.kernel] for dense in self.hidden_layers]
        weights = self.settings.mlp_regularization[1:] or (
            self.settings.mlp_regularization * len(kernels)
        )
        for weight, group in zip(weights, kernels, strict=True):
            if weight:
                total = total + weight * sum(ops.sum(ops.square(k)) for k in group)
        return total

    def get_config(self) -> dict[str, Any]:
        return super().get_config() | {"settings": self.settings.model_dump()}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Scorer":
        return cls(settings=ModelConfig(**config.pop("settings")), **config)


def _affine(rows: Any, kernel: Any, bias: Any = None) -> Any:
    """Returns `rows @ kernel + bias` in the rows' dtype, as one matrix product."""
    result = matrix_products.product(rows, ops.cast(kernel, rows.dtype))
    if bias is None:
        return result
    bias = ops.cast(bias, rows.dtype)
    return (
        matrix_products.add_bias(result, bias)
        if len(result.shape) == 2
        else result + bias
    )
