"""Matrix products inside an XLA program for a CPU, also in bfloat16.

XLA hands larger products to the library oneDNN (in TF 2.16; not in 2.21) and splits
smaller ones between threads, which costs more than it saves. A product that is a few
rows too small is therefore filled up.

oneDNN can round the factors to bfloat16 and sum in float32, which is several times as
fast on a processor with AMX. Everything around a product stays float32, so there are
none of the conversions that cost much of the gain where XLA itself computes in 16 bits.
A process decides once, at its first product, whether oneDNN rounds.
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
_LEAST = 1 << 23
_SIDE = 256
_SMALLEST = 32
# Without rounding only so few rows are added that they cost less than threads.
_NEARLY = 240
# From so many columns on a product of a single row, which XLA fuses with what comes
# before it, takes longer than one of two rows, where XLA hands products to oneDNN.
_WIDE = 64
# With fewer multiplications, one operation more costs more than a quicker product.
_WORTH_SWAPPING = 1 << 17


def round_to_bfloat16() -> None:
    """Lets oneDNN round to bfloat16 in this process from its first product on."""
    os.environ[_MODE] = "BF16"


def are_rounded() -> bool:
    """Returns whether this process' compiled products are rounded to bfloat16."""
    return os.environ.get(_MODE) == "BF16" and _probe()


def _compiled_square() -> Any:
    """Returns a new function, compiled by XLA, of a matrix and its square."""
    return tf.function(lambda x: tf.matmul(x, x), jit_compile=True, autograph=False)


@functools.cache
def _probe() -> bool:
    with tf.init_scope(), tf.device("CPU:0"):
        # The next number of bfloat16 after 1 is 1 + 2**-7.
        result = _compiled_square()((1.0 + 2.0**-12) * tf.eye(_SIDE))
        return bool(result[0, 0] == 1.0)


@functools.cache
def _has_onednn() -> bool:
    """Returns whether XLA hands products to oneDNN on this machine's CPU."""
    with tf.init_scope(), tf.device("CPU:0"):
        program = _compiled_square().experimental_get_compiler_ir(tf.eye(_SIDE))
        return "__onednn$matmul" in program(stage="optimized_hlo")


def product(rows: Any, kernel: Any) -> Any:
    """Returns rows [..., n] @ kernel [n, m] as one matrix product.

    A product that is a little too small for oneDNN, in the forward or the backward
    direction, is filled up with zeros: where products are rounded, by rows and columns,
    otherwise by a few rows.
    """
    if len(rows.shape) != 2 or rows.shape[0] is None:
        return ops.tensordot(rows, kernel, axes=1)
    count, width = rows.shape[0], kernel.shape[1]
    filled_count, filled_width = _filled(count, *kernel.shape)
    if (filled_count, filled_width) == (count, width):
        return _product(rows, kernel)
    rows = ops.pad(rows, [[0, filled_count - count], [0, 0]])
    kernel = ops.pad(kernel, [[0, 0], [0, filled_width - width]])
    return _product(rows, kernel)[:count, :width]


@tf.custom_gradient
def _product(rows: Any, kernel: Any) -> Any:
    """Returns rows [n, k] @ kernel [k, m], whose gradients XLA computes faster."""

    def gradient(upstream: Any) -> Any:
        to_rows = tf.matmul(upstream, kernel, transpose_b=True)
        return to_rows, _kernel_gradient(rows, upstream, *kernel.shape)

    return tf.matmul(rows, kernel), gradient


def _kernel_gradient(rows: Any, upstream: Any, depth: int, width: int) -> Any:
    """Returns rows [n, depth], transposed, @ upstream [n, width].

    XLA takes up to three times as long where the wider of the two is the transposed
    one. Zeros are added to what is transposed back, or XLA would undo all this.
    """
    multiplications = rows.shape[0] * depth * width
    by_onednn = multiplications >= _LEAST and _has_onednn()
    if width >= depth or by_onednn or multiplications < _WORTH_SWAPPING:
        return tf.matmul(rows, upstream, transpose_a=True)
    if width == 1:
        upstream = tf.pad(upstream, [[0, 0], [0, 1]])
    swapped = tf.matmul(upstream, rows, transpose_a=True)
    return tf.transpose(tf.pad(swapped, [[0, 1], [0, 0]]))[:, :width]


@tf.custom_gradient
def add_bias(rows: Any, bias: Any) -> Any:
    """Returns rows [n, m] + bias [m], as a product, whose gradient XLA sums faster."""

    def gradient(upstream: Any) -> Any:
        lines = 2 if upstream.shape[1] >= _WIDE and _has_onednn() else 1
        count = upstream.shape[0] or tf.shape(upstream)[0]
        ones = tf.ones([lines, count], upstream.dtype)
        return upstream, tf.matmul(ones, upstream)[0]

    return rows + bias, gradient


def _filled(count: int, depth: int, width: int) -> tuple[int, int]:
    """Returns the number of rows and columns to which to fill a product up.

    The product is that of [count, depth] and [depth, width].
    """
    small = _SMALLEST <= count <= _SIDE and width >= _SMALLEST
    if small and depth >= _SIDE // 2 and are_rounded():
        return _SIDE, max(_SIDE, width)
    lacks = count * depth * width < _LEAST <= _SIDE * depth * width
    if lacks and count >= _NEARLY and _has_onednn():
        return _SIDE, width
    return count, width
