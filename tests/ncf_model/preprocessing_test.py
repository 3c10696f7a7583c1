import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

from ncf_model import preprocessing

# Item "b c" has three users, "a" has two; "é" and "001" have one each.
ROWS = [
    {"user_id": ["7"], "item_ids": ["a", "b c", "é"], "timestamps": [1, 2, 3]},
    {"user_id": ["10"], "item_ids": ["b c"], "timestamps": [5]},
    {"user_id": ["007"], "item_ids": ["b c", "a", "001"], "timestamps": [7, 7, 8]},
]
SPEC = {
    "user_id": tf.io.FixedLenFeature([1], tf.string),
    "item_ids": tf.io.RaggedFeature(tf.string, row_splits_dtype=tf.int64),
    "timestamps": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
}


@pytest.fixture(scope="module")
def graph(tmp_path_factory):
    folder = str(tmp_path_factory.mktemp("graph"))
    metadata = dataset_metadata.DatasetMetadata(
        schema_utils.schema_from_feature_spec(SPEC)
    )
    with tft_beam.Context(temp_dir=str(tmp_path_factory.mktemp("tmp"))):
        transform_fn = (ROWS, metadata) | tft_beam.AnalyzeDataset(
            preprocessing.preprocessing_fn
        )
        _ = transform_fn | tft_beam.WriteTransformFn(folder)
    return tft.TFTransformOutput(folder)


def _transform(graph, user_id, item_ids, timestamps):
    transformed = graph.transform_raw_features(
        {
            "user_id": tf.constant([[user_id]]),
            "item_ids": tf.ragged.constant([item_ids], row_splits_dtype=tf.int64),
            "timestamps": tf.ragged.constant(
                [timestamps], tf.int64, row_splits_dtype=tf.int64
            ),
        }
    )
    return {
        name: value.to_list() if isinstance(value, tf.RaggedTensor) else value.numpy()
        for name, value in transformed.items()
    }


def test_items_by_frequency_then_by_id_descending(graph):
    assert graph.vocabulary_by_name("item_id") == [
        b"b c",
        b"a",
        "é".encode(),
        b"001",
    ]


def test_users_by_id_descending(graph):
    assert graph.vocabulary_by_name("user_id") == [b"7", b"10", b"007"]


def test_list_features_stay_ragged_and_times_go_through(graph):
    out = _transform(graph, "7", ["001", "b c"], [4, 9])
    assert out["item_indices"] == [[3, 0]]
    assert out["timestamps"] == [[4, 9]]
    np.testing.assert_array_equal(out["user_id"], [[b"7"]])
    np.testing.assert_array_equal(out["user_index"], [[0]])
    assert set(out) == {"user_id", "user_index", "item_indices", "timestamps"}


def test_unknown_ids_get_the_index_behind_the_vocabulary(graph):
    out = _transform(graph, "8", ["a", "new"], [4, 9])
    assert out["item_indices"] == [[1, 4]]
    np.testing.assert_array_equal(out["user_index"], [[3]])


def test_sparse_lists_become_ragged():
    sparse = tf.sparse.from_dense([[5, 6], [7, 0]])
    assert preprocessing.ragged(sparse).to_list() == [[5, 6], [7]]
