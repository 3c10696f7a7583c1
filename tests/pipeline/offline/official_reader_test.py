"""What is read from files of the official NCF's form, in whatever order."""

import collections
import json

import numpy as np
import pytest
import tensorflow as tf
from pyarrow import parquet

from pipeline import config as config_module
from pipeline.offline import official_reader, sample


@pytest.fixture
def samples(dataset, tmp_path, write_samples):
    """A folder of files: 6 positives with 3 negatives each, 3 lists of 5."""
    write_samples(dataset, tmp_path / "samples")
    return tmp_path / "samples"


def _metadata(folder, **changes):
    path = folder / "metadata.json"
    found = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in found.items() if v is not None}))
    return official_reader.read_metadata(str(path))


def _epochs(folder, **changes):
    pattern = str(folder / "training_cycle_*/*")
    return official_reader.Epochs(pattern, _metadata(folder, **changes))


def _first(folder, **changes):
    return _epochs(folder, **changes).draw(0)


def _lists(folder, **changes):
    pattern = str(folder / "eval_data" / "*")
    return official_reader.read_lists(pattern, _metadata(folder, **changes))


def _parquet(dataset, folder, name):
    """Returns a Parquet table of `ncf sample`, which has no batches or padding."""
    config = config_module.load(
        None, ["sampling.num_negatives=3", "sampling.eval_negatives=4", "seed=5"]
    )
    if not folder.exists():
        form = sample.OutputForm(format="parquet")
        sample.sample(config, dataset, folder, form=form, epochs=2)
    return parquet.read_table(folder / name)


# 24 rows: four batches of 7, the last one padded, or 24 batches of 1 in 16 shards.
@pytest.mark.parametrize("size", [7, 1])
def test_groups_come_back(dataset, tmp_path, write_samples, size):
    write_samples(dataset, tmp_path / "samples", train_prebatch_size=size)
    epochs = _epochs(tmp_path / "samples")
    assert len(epochs) == 2
    for epoch in (0, 1):
        name = f"train/epoch_{epoch}.parquet"
        table = _parquet(dataset, tmp_path / "parquet", name)
        users, items = epochs.draw(epoch)
        assert items.shape == (6, 4)
        assert np.repeat(users, 4).tolist() == table["user_id"].to_pylist()
        assert items.ravel().tolist() == table["item_id"].to_pylist()


def test_folders_and_shards_come_in_order_of_their_numbers(
    dataset, tmp_path, write_samples
):
    folder = tmp_path / "samples"
    write_samples(dataset, folder, epochs=11, train_prebatch_size=1)
    epochs = _epochs(folder)
    alone = official_reader.Epochs(
        str(folder / "training_cycle_10/*"), _metadata(folder)
    )
    for ours, theirs in zip(epochs.draw(10), alone.draw(0), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_lists_come_back(dataset, samples, tmp_path):
    lists = _lists(samples)
    table = _parquet(dataset, tmp_path / "parquet", "eval_data.parquet")
    assert lists.users.tolist() == [0, 2, 3]
    assert lists.items[:, 0].tolist() == [0, 0, 3]
    # Users 0 and 3 have 4 of the 7 items, so 3 negatives and a masked place.
    assert lists.masked.sum(axis=1).tolist() == [1, 0, 1]
    assert lists.items[~lists.masked].tolist() == table["item_id"].to_pylist()


USERS = np.array([4, 4, 4, 9, 9, 9, 4, 4, 4])
ITEMS = np.array([10, 11, 12, 20, 21, 22, 13, 14, 15])
LABELS = np.array([1, 0, 0] * 3, bool)


def test_rows_in_groups_stay_as_they_are():
    users, items = official_reader.groups(USERS, ITEMS, LABELS)
    assert users.tolist() == [4, 9, 4]
    assert items.tolist() == [[10, 11, 12], [20, 21, 22], [13, 14, 15]]


def test_rows_in_any_order_keep_user_and_label():
    order = [8, 3, 6, 1, 0, 5, 2, 4, 7]
    users, items = official_reader.groups(USERS[order], ITEMS[order], LABELS[order])
    # Positives in the order of rows; a user's negatives in twos, in that order.
    assert users.tolist() == [9, 4, 4]
    assert items.tolist() == [[20, 22, 21], [13, 15, 11], [10, 12, 14]]


@pytest.mark.parametrize(
    "changes",
    [
        {0: (4, 0)},  # one positive less: 7 negatives for 2 positives
        {1: (9, 0)},  # three negatives of user 9, three of user 4
        dict.fromkeys(range(9), (4, 1)),  # no negatives
        dict.fromkeys(range(9), (4, 0)),  # no positives
    ],
)
def test_rows_that_make_no_groups(changes):
    users, labels = USERS.copy(), LABELS.copy()
    for row, (user, label) in changes.items():
        users[row], labels[row] = user, label
    with pytest.raises(ValueError, match="as many negatives per positive as all"):
        official_reader.groups(users, ITEMS, labels)


def test_shuffled_file_has_the_same_rows(samples):
    """As the official NCF writes: rows of an epoch in any order over the batches."""
    pattern = samples / "training_cycle_0"
    kept = _rows(*_epochs(samples).draw(0))
    names = ("user_id", "item_id", "labels", "valid_point_mask")
    found = official_reader._read(sorted(map(str, pattern.iterdir())), names, 7)
    order = np.random.default_rng(0).permutation(28)
    with tf.io.TFRecordWriter(str(pattern / "shard_0.tfrecords")) as writer:
        for batch in order.reshape(4, 7):
            example = tf.train.Example()
            for name in names:
                values = found[name][batch].tolist()
                example.features.feature[name].int64_list.value.extend(values)
            writer.write(example.SerializeToString())
    for shard in (1, 2, 3):
        (pattern / f"shard_{shard}.tfrecords").write_bytes(b"")
    assert _rows(*_epochs(samples).draw(0)) == kept


def _rows(users, items):
    return collections.Counter(
        (user, item, place == 0)
        for user, group in zip(users.tolist(), items.tolist(), strict=True)
        for place, item in enumerate(group)
    )


def test_official_metadata_means_lists_of_a_thousand(samples):
    metadata = _metadata(samples, num_eval_negatives=None, eval_prebatch_size=99_000)
    assert metadata.num_eval_negatives == 999


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_users": None}, r"a count for each of \['num_users'\]"),
        ({"num_items": "7"}, r"a count for each of \['num_items'\]"),
        ({"num_train_elements": -1}, "a count for each of"),
        ({"num_eval_negatives": 6}, "multiple of a list's length; got 10 and 7"),
    ],
)
def test_metadata_that_cannot_be(samples, changes, message):
    with pytest.raises(ValueError, match=message):
        _metadata(samples, **changes)


def test_metadata_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match=r"must be a JSON file; .*nothing"):
        official_reader.read_metadata(str(tmp_path / "nothing"))
    (tmp_path / "data").write_text("{")
    with pytest.raises(ValueError, match=r"must be a JSON file; .*data"):
        official_reader.read_metadata(str(tmp_path / "data"))


@pytest.mark.parametrize(
    ("read", "changes", "message"),
    [
        (_first, {"train_prebatch_size": 8}, r"must have .* with 8 values each"),
        (_lists, {"eval_prebatch_size": 20}, r"must have .* with 20 values each"),
        (_first, {"num_train_elements": 25}, "must hold 25 rows, .* have 24"),
        (_lists, {"num_eval_elements": 14}, "must hold 14 rows, .* have 15"),
        (_first, {"num_users": 3}, r"`user_id` must be in \[0, 3\), .* 0 to 3"),
        (_lists, {"num_items": 6}, r"`item_id` must be in \[0, 6\), .* to 6"),
    ],
)
def test_data_that_do_not_fit_their_metadata(samples, read, changes, message):
    with pytest.raises(ValueError, match=message):
        read(samples, **changes)


@pytest.mark.parametrize("read", [_epochs, _lists])
def test_no_files(samples, read):
    for path in samples.glob("*/*"):
        path.unlink()
    with pytest.raises(
        ValueError, match=r"No file matches `(train|eval)_dataset_path`"
    ):
        read(samples)


def test_lost_shard(samples):
    (samples / "training_cycle_0" / "shard_0.tfrecords").unlink()
    with pytest.raises(ValueError, match="its 15 files have 17"):
        _epochs(samples).draw(0)


def test_not_a_record_file(samples):
    (samples / "eval_data" / "shard_0.tfrecords").write_bytes(b"user,item\n1,2\n" * 9)
    with pytest.raises(ValueError, match=r"Every Example in .*eval_data"):
        _lists(samples)
