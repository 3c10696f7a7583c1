import pathlib

import pyarrow as pa
import pytest
import tensorflow_data_validation as tfdv
from tensorflow_data_validation.statistics import stats_impl

SCHEMA = pathlib.Path(__file__).parents[2] / "pipeline" / "schema" / "schema.pbtxt"
GOOD = {
    "user_id": [[b"a b"], ["é".encode()], [b"9223372036854775808"]],
    "item_ids": [[b"007", b"7"], [b""], [b"x"]],
    "timestamps": [[0, 4_102_444_800], [5], [5]],
}


def _anomalies(**changes):
    columns = {name: values for name, values in (GOOD | changes).items() if values}
    batch = pa.RecordBatch.from_arrays(
        [pa.array(values) for values in columns.values()], names=list(columns)
    )
    statistics = stats_impl.generate_statistics_in_memory(batch)
    found = tfdv.validate_statistics(statistics, tfdv.load_schema_text(str(SCHEMA)))
    return set(found.anomaly_info)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"ratings": [[5.0, -1.5], [0.5], [3.0]]},
        {"ratings": [[5.0, 1.5], None, [3.0]]},
    ],
    ids=["without ratings", "with ratings", "some without ratings"],
)
def test_any_data_set_fits(changes):
    assert _anomalies(**changes) == set()


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("user_id", None),
        ("user_id", [[b"u1"], None, [b"u3"]]),
        ("user_id", [[b"u1", b"u2"], [b"u3"], [b"u4"]]),
        ("user_id", [[1], [2], [3]]),
        ("item_ids", None),
        ("item_ids", [[b"a"], None, [b"c"]]),
        ("item_ids", [[b"a"], [], [b"c"]]),
        ("item_ids", [[1, 2], [3], [4]]),
        ("timestamps", None),
        ("timestamps", [[1, 2], None, [3]]),
        ("timestamps", [[1, 2], [], [3]]),
        ("timestamps", [[1, 2], [-1], [3]]),
        ("timestamps", [[1, 2], [4_102_444_801], [3]]),
        ("timestamps", [[1.5, 2.0], [3.0], [4.0]]),
        ("ratings", [[5.0, float("nan")], [3.0], [4.0]]),
        ("ratings", [[5.0, float("inf")], [3.0], [4.0]]),
        ("ratings", [[b"good", b"bad"], [b"good"], [b"bad"]]),
        ("colour", [[b"red"], [b"red"], [b"blue"]]),
    ],
)
def test_broken_data_do_not(name, values):
    assert _anomalies(**{name: values}) == {name}
