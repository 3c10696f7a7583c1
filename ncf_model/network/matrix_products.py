"""Matrix products in bfloat16 inside an XLA program for a CPU.

XLA hands larger products to the library oneDNN (in TF 2.16; not in 2.21). oneDNN can
round the factors to bfloat16 and sum in float32, which is several times as fast on a
processor with AMX. Everything around a product stays float32, so there are none of the
conversions that cost much of the gain where XLA itself computes in 16 bits. A process
decides once, at its first product, whether oneDNN rounds.
"""

import functools
import os
from typing import Any

import tensorflow as tf
from keras import ops

_MODE = "ONEDNN_DEFAULT_FPMATH_MODE"
# XLA hands products of 2**23 multiplications and more to oneDNN, a bit fewer than a
# layer has with a batch of 256. Up to 256 rows oneDNN uses one thread, which costs less
# than to wake another: 40 us for 256 x 256 x 256 on a Xeon with AMX, against 270 us of
# XLA's own product.
_SIDE = 256
_SMALLEST = 32


def round_to_bfloat16() -> None:
    """Lets oneDNN round to bfloat16 in this process from its first product on."""
    os.environ[_MODE] = "BF16"


def are_rounded() -> bool:
    """Returns whether this process' compiled products are rounded to bfloat16."""
    return os.environ.get(_MODE) == "BF16" and _probe()


@functools.cache
def _probe() -> bool:
    @tf.function(jit_compile=True, autograph=False)
    def square(x: tf.Tensor) -> tf.Tensor:
        return tf.matmul(x, x)

    with tf.init_scope(), tf.device("CPU:0"):
        # The next number of bfloat16 after 1 is 1 + 2**-7.
        result = square((1.0 + 2.0**-12) * tf.eye(_SIDE))
        return bool(result[0, 0] == 1.0)


def product(rows: Any, kernel: Any) -> Any:
    """Returns rows [..., n] @ kernel [n, m] as one matrix product.

    Where products are rounded, a product that is a little too small for oneDNN, in the
    forward or the backward direction, is filled up with zeros.
    """
    if (
        len(rows.shape) != 2
        or rows.shape[0] is None
        or not _worth_filling(rows.shape[0], *kernel.shape)
    ):
        return ops.tensordot(rows, kernel, axes=1)
    count, width = rows.shape[0], kernel.shape[1]
    rows = ops.pad(rows, [[0, _SIDE - count], [0, 0]])
    kernel = ops.pad(kernel, [[0, 0], [0, max(0, _SIDE - width)]])
    return ops.matmul(rows, kernel)[:count, :width]


@tf.custom_gradient
def add_bias(rows: Any, bias: Any) -> Any:
    """Returns rows [n, m] + bias [m], as a product, whose gradient XLA sums faster."""

    def gradient(upstream: Any) -> Any:
        ones = tf.ones([1, upstream.shape[0] or tf.shape(upstream)[0]], upstream.dtype)
        return upstream, tf.matmul(ones, upstream)[0]

    return rows + bias, gradient


def _worth_filling(count: int, depth: int, width: int) -> bool:
    small = _SMALLEST <= count <= _SIDE and width >= _SMALLEST
    return small and depth >= _SIDE // 2 and are_rounded()
