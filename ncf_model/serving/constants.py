"""The constant tables of a served model, and how they are read."""

from typing import Any

import tensorflow as tf


def constant(value: Any) -> tf.Variable:
    """Returns a variable, which the checkpoint holds; constants are limited to 2 GB."""
    return tf.Variable(value, trainable=False)


def rows(table: tf.Variable, index: tf.Tensor) -> tf.Tensor:
    """Returns the entries of `table` at `index`, along the first axis.

    `tf.gather` of the variable itself would be the operation ResourceGather, which
    marks the variable as one that is written to in parts: from then on whoever reads it
    whole is given a copy. One call of `serving_default` made each later `recommend`
    copy the linear part, 55 MB for 3,706 items.
    """
    return tf.gather(tf.convert_to_tensor(table), index)


def cells(table: tf.Variable, index: tf.Tensor) -> tf.Tensor:
    """Returns the entries of `table` at the rows of `index`, one number per axis."""
    return tf.gather_nd(tf.convert_to_tensor(table), index)
