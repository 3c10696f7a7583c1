"""Statistics that do not fit the schema stop the run, after the anomalies are kept."""

import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2
from tfx.components.statistics_gen import stats_artifact_utils
from tfx.types import artifact_utils, standard_artifacts

from components.strict_example_validator import executor

SCHEMA = """
feature {
  name: "timestamps" type: INT value_count { min: 1 } int_domain { min: 0 }
  presence { min_fraction: 1.0 }
}
"""


def _run(folder, timestamps):
    """Validates one example that holds `timestamps`; returns the anomalies' folder."""
    records = str(folder / "records")
    with tf.io.TFRecordWriter(records) as writer:
        example = tf.train.Example()
        example.features.feature["timestamps"].int64_list.value.extend(timestamps)
        writer.write(example.SerializeToString())
    schema = standard_artifacts.Schema()
    schema.uri = str(folder / "schema")
    (folder / "schema").mkdir()
    (folder / "schema" / "schema.pbtxt").write_text(
        text_format.MessageToString(text_format.Parse(SCHEMA, schema_pb2.Schema()))
    )
    statistics = standard_artifacts.ExampleStatistics()
    statistics.uri = str(folder / "statistics")
    statistics.split_names = artifact_utils.encode_split_names(["interactions"])
    split = folder / "statistics" / "Split-interactions"
    split.mkdir(parents=True)
    found = tfdv.generate_statistics_from_tfrecord(records)
    (split / "FeatureStats.pb").write_bytes(found.SerializeToString())
    assert stats_artifact_utils.load_statistics(statistics, "interactions")
    anomalies = standard_artifacts.ExampleAnomalies()
    anomalies.uri = str(folder / "anomalies")
    executor.Executor().Do(
        {"statistics": [statistics], "schema": [schema]},
        {"anomalies": [anomalies]},
        {"exclude_splits": "[]"},
    )


def test_data_that_fits_passes(tmp_path):
    _run(tmp_path, [0, 5])
    assert list((tmp_path / "anomalies").rglob("SchemaDiff.pb"))


def test_an_anomaly_stops_the_run_and_names_the_feature(tmp_path):
    with pytest.raises(ValueError, match="split 'interactions', feature 'timestamps'"):
        _run(tmp_path, [-1, 5])
    assert list((tmp_path / "anomalies").rglob("SchemaDiff.pb"))
