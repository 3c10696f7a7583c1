import itertools

import numpy as np
import pyarrow as pa
import pytest
from tensorflow.core.example import example_pb2

from components.interactions_example_gen import grouping, records


def _users(ratings):
    """Two users: `ü` with three items, `b` with two hundred."""
    items = ["x", "", "007", *map(str, range(200))]
    return grouping.GroupedUsers(
        user_ids=pa.array(["ü", "b"]),
        offsets=np.array([0, 3, 203]),
        item_ids=pa.array(items),
        times=np.arange(203) * 1_000_000 + 999_999,
        ratings=np.arange(203, dtype=np.float32) / 2 if ratings else None,
    )


def _written(user_id, items, seconds, ratings):
    """Returns the record as the protocol buffers library serialises it."""
    example = example_pb2.Example()
    feature = example.features.feature
    feature["user_id"].bytes_list.value.append(user_id.encode())
    feature["item_ids"].bytes_list.value.extend(item.encode() for item in items)
    feature["timestamps"].int64_list.value.extend(seconds)
    if ratings is not None:
        feature["ratings"].float_list.value.extend(ratings)
    return example.SerializeToString(deterministic=True)


@pytest.mark.parametrize("ratings", [True, False])
def test_bytes_are_those_of_protocol_buffers(ratings):
    rated = [r / 2 for r in range(203)] if ratings else None
    expected = [
        _written("ü", ["x", "", "007"], [0, 1, 2], rated and rated[:3]),
        _written("b", map(str, range(200)), range(3, 203), rated and rated[3:]),
    ]
    assert list(records.to_examples(_users(ratings), has_times=True)) == expected


def test_without_times_the_order_stands_for_them():
    first, second = records.to_examples(_users(False), has_times=False)
    assert first == _written("ü", ["x", "", "007"], [0, 1, 2], None)
    assert second == _written("b", map(str, range(200)), range(200), None)


def test_any_number_of_users_at_a_time(monkeypatch):
    whole = list(records.to_examples(_users(True), has_times=True))
    monkeypatch.setattr(records, "_USERS_AT_A_TIME", 1)
    assert list(records.to_examples(_users(True), has_times=True)) == whole


def test_every_order_of_features_becomes_one():
    (example, _) = records.to_examples(_users(True), has_times=True)
    parsed = example_pb2.Example.FromString(example)
    entries = []
    for name in ("user_id", "item_ids", "timestamps", "ratings"):
        alone = example_pb2.Example()
        alone.features.feature[name].CopyFrom(parsed.features.feature[name])
        entries.append(alone.features.SerializeToString())
    for order in itertools.permutations(entries):
        body = b"".join(order)
        assert len(body) < 128  # The length fits one byte.
        assert records.in_order(b"\n" + bytes([len(body)]) + body) == example
