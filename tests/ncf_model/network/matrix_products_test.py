"""Products in bfloat16; settings of a whole process are tested in another process."""

import pathlib
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from ncf_model.network import matrix_products

PROCESS = pathlib.Path(__file__).with_name("rounding_process.py")


# Numbers of rows and columns with and without zero padding.
@pytest.mark.parametrize("count", [31, 32, 255, 256, 257])
@pytest.mark.parametrize(
    ("depth", "width"), [(127, 64), (128, 31), (128, 32), (130, 300)]
)
def test_filling_up_changes_nothing(monkeypatch, count, depth, width):
    rng = np.random.default_rng(0)
    rows = tf.constant(rng.normal(size=(count, depth)).astype("f"))
    kernel = tf.constant(rng.normal(size=(depth, width)).astype("f"))
    weights = tf.constant(rng.normal(size=(count, width)).astype("f"))
    results = []
    for rounded in (False, True):
        monkeypatch.setattr(
            matrix_products, "are_rounded", lambda rounded=rounded: rounded
        )
        with tf.GradientTape() as tape:
            tape.watch([rows, kernel])
            result = matrix_products.product(rows, kernel)
            total = tf.reduce_sum(result * weights)
        results.append([result, *tape.gradient(total, [rows, kernel])])
    for filled, plain in zip(*results, strict=True):
        np.testing.assert_allclose(filled, plain, atol=1e-4)


# From 2**23 multiplications on a product is oneDNN's: 256 * 256 * 128, for example.
@pytest.mark.parametrize(
    ("count", "width", "filled"),
    [
        (239, 128, 239),
        (240, 128, 256),
        (255, 128, 256),
        (256, 128, 256),
        (257, 128, 257),
        (255, 127, 255),
        (255, 256, 255),
    ],
)
@pytest.mark.parametrize("has_onednn", [False, True])
def test_a_few_rows_are_added_where_they_spare_threads(
    monkeypatch, count, width, filled, has_onednn
):
    monkeypatch.setattr(matrix_products, "are_rounded", lambda: False)
    monkeypatch.setattr(matrix_products, "_has_onednn", lambda: has_onednn)
    rows, kernel = tf.ones([count, 256]), tf.ones([256, width])
    multiplied, matmul = [], tf.matmul

    def noted(x, y, **more):
        multiplied.append(x.shape[0])
        return matmul(x, y, **more)

    monkeypatch.setattr(tf, "matmul", noted)
    result = matrix_products.product(rows, kernel)
    assert multiplied == [filled if has_onednn else count]
    np.testing.assert_array_equal(result, np.full((count, width), 256.0))


# The gradient of a kernel wider than deep, deeper than wide, and of a single column.
@pytest.mark.parametrize(("depth", "width"), [(3, 5), (5, 3), (5, 5), (5, 1), (1, 1)])
def test_gradients_are_those_of_a_plain_product(monkeypatch, depth, width):
    monkeypatch.setattr(matrix_products, "_WORTH_SWAPPING", 0)
    rng = np.random.default_rng(0)
    rows = tf.constant(rng.normal(size=(7, depth)).astype("f"))
    kernel = tf.constant(rng.normal(size=(depth, width)).astype("f"))
    weights = tf.constant(rng.normal(size=(7, width)).astype("f"))
    found = []
    for multiply in (matrix_products.product, tf.matmul):
        with tf.GradientTape() as tape:
            tape.watch([rows, kernel])
            total = tf.reduce_sum(tf.square(multiply(rows, kernel)) * weights)
        found.append(tape.gradient(total, [rows, kernel]))
    for ours, plain in zip(*found, strict=True):
        np.testing.assert_allclose(ours, plain, rtol=1e-5, atol=1e-5)


def test_takes_more_axes_and_unknown_numbers_of_rows():
    rows = tf.ones([2, 3, 4])
    np.testing.assert_array_equal(matrix_products.product(rows, tf.ones([4, 5])), 4.0)

    @tf.function(input_signature=[tf.TensorSpec([None, 4])])
    def unknown(rows):
        return matrix_products.product(rows, tf.ones([4, 5]))

    np.testing.assert_array_equal(unknown(tf.ones([7, 4])), 4.0)


def test_a_process_that_rounds_trains_nearly_as_well_and_refuses_float32():
    done = subprocess.run(
        [sys.executable, str(PROCESS)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_the_gradient_of_a_bias_is_the_sum_over_rows():
    rows = tf.constant(np.random.default_rng(0).normal(size=(7, 3)).astype("f"))
    bias = tf.constant([1.0, 2.0, 3.0])

    @tf.function(input_signature=[tf.TensorSpec([None, 3])])
    def gradients(rows):
        with tf.GradientTape() as tape:
            tape.watch([rows, bias])
            total = tf.reduce_sum(tf.square(matrix_products.add_bias(rows, bias)))
        return tape.gradient(total, [rows, bias])

    of_rows, of_bias = gradients(rows)
    expected = 2 * (rows.numpy() + bias.numpy())
    np.testing.assert_allclose(of_rows, expected, rtol=1e-6)
    np.testing.assert_allclose(of_bias, expected.sum(0), rtol=1e-5)
