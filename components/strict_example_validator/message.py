"""Describes anomalies in words."""

from collections.abc import Sequence

from tensorflow_metadata.proto.v0 import anomalies_pb2


def describe(split: str, anomalies: anomalies_pb2.Anomalies) -> list[str]:
    """Returns one line per anomaly: split, feature, what is wrong."""
    lines = [
        f"split {split!r}, feature {feature!r}: {info.description}"
        for feature, info in sorted(anomalies.anomaly_info.items())
    ]
    if anomalies.HasField("dataset_anomaly_info"):
        lines.append(f"split {split!r}: {anomalies.dataset_anomaly_info.description}")
    return lines


def refusal(problems: Sequence[str]) -> str:
    """Returns the error message for `problems`, one or more lines of `describe`."""
    listed = "\n".join(f"  {problem}" for problem in problems)
    return (
        "The data does not fit the schema (pipeline/schema/schema.pbtxt), so nothing "
        f"after ExampleValidator is run:\n{listed}\n"
        "Correct the data, or review the schema if the data is right."
    )
