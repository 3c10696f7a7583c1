import numpy as np
import pyarrow as pa
import pytest

from components.negative_sampling import records

# The names under which Transform writes ragged features.
COLUMNS = {
    "user_id": "user_id",
    "user_index": "user_index",
    "item_indices": "item_indices$ragged_values",
    "timestamps": "timestamps$ragged_values",
}


def _read(**changes):
    values = {
        "user_id": [[b"a"], [b"b"]],
        "user_index": [[1], [0]],
        "item_indices": [[0, 2], [1]],
        "timestamps": [[5, 6], [7]],
    } | changes
    present = {
        COLUMNS[name]: pa.array(value) for name, value in values.items() if value
    }
    batch = pa.RecordBatch.from_arrays(list(present.values()), names=list(present))
    return records.read_users(batch, COLUMNS)


def test_reads_users():
    users = _read()
    assert users.user_ids == [b"a", b"b"]
    assert users.user_index.tolist() == [1, 0]
    assert users.items.values.tolist() == [0, 2, 1]
    assert users.items.offsets.tolist() == [0, 2, 3]
    assert users.timestamps.tolist() == [5, 6, 7]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"user_id": [[b"a", b"x"], [b"b"]]}, "2 records has 3 and 2"),
        ({"user_index": [[1], []]}, "2 records has 2 and 1"),
        ({"timestamps": [[5], [7]]}, "User b'a' has 2 items but 1 timestamps"),
        ({"timestamps": None}, r"must have the feature 'timestamps\$ragged_values'"),
        ({"item_indices": [[1], None]}, "must have the feature 'item_indices"),
    ],
)
def test_malformed_records(changes, message):
    with pytest.raises(ValueError, match=message):
        _read(**changes)


def test_items_of_the_vocabulary():
    records.check_users(_read(), num_items=3)


def test_item_outside_the_vocabulary():
    with pytest.raises(ValueError, match=r"User b'a' has item index 2, but .* at 1"):
        records.check_users(_read(), num_items=2)


def test_item_twice():
    users = _read(item_indices=[[0, 0], [1]])
    with pytest.raises(ValueError, match="User b'a' has item index 0 twice"):
        records.check_users(users, num_items=3)


def test_same_item_of_two_users_is_fine():
    users = _read(item_indices=[[0, 2], [2]])
    records.check_users(users, num_items=3)


def test_columns():
    batch = records.record_batch(
        {
            "user_id": records.single_bytes([b"a", b"b"]),
            "user_index": records.single_ints(np.array([4, 5])),
            "names": records.bytes_lists(pa.array([b"x"]), np.array([0, 0, 1])),
        }
    )
    assert batch.to_pydict() == {
        "user_id": [[b"a"], [b"b"]],
        "user_index": [[4], [5]],
        "names": [[], [b"x"]],
    }
