"""The message about anomalies names split, feature and reason."""

from tensorflow_metadata.proto.v0 import anomalies_pb2

from components.strict_example_validator import message


def test_describes_features_and_the_data_set():
    anomalies = anomalies_pb2.Anomalies()
    anomalies.anomaly_info["timestamps"].description = "Values below 0."
    anomalies.anomaly_info["item_ids"].description = "Missing in 3 examples."
    anomalies.dataset_anomaly_info.description = "Too few examples."
    assert message.describe("interactions", anomalies) == [
        "split 'interactions', feature 'item_ids': Missing in 3 examples.",
        "split 'interactions', feature 'timestamps': Values below 0.",
        "split 'interactions': Too few examples.",
    ]


def test_nothing_to_describe():
    assert message.describe("interactions", anomalies_pb2.Anomalies()) == []
