import csv
import glob
import json
import pathlib

import pytest
import tensorflow as tf
from tfx.orchestration import metadata, pipeline
from tfx.orchestration.local import local_dag_runner
from tfx.utils import proto_utils

from components.interactions_example_gen import executor
from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import DriftConfig, ReadingConfig

HEADER = "userId,movieId,rating,timestamp\n"


class Run:
    """One run of the component on a real metadata store, and its results."""

    def __init__(self, root, input_base, *, drift=None, **reading):
        self._store = metadata.sqlite_metadata_connection_config(str(root / "m.sqlite"))
        node = InteractionsExampleGen(
            str(input_base), reading=ReadingConfig(**reading), drift=drift
        )
        definition = pipeline.Pipeline(
            "test",
            str(root / "out"),
            components=[node],
            metadata_connection_config=self._store,
            enable_cache=True,
        )
        local_dag_runner.LocalDagRunner().run(definition)
        with metadata.Metadata(self._store) as handle:
            artifacts = handle.store.get_artifacts_by_type("Examples")
            self.executions = handle.store.get_executions()
        artifact = max(artifacts, key=lambda a: a.id)
        self.uri = pathlib.Path(artifact.uri)
        self.properties = {
            name: value.string_value or value.int_value
            for name, value in artifact.custom_properties.items()
        }
        self.split_names = artifact.properties["split_names"].string_value

    def users(self):
        """Returns user id -> {feature: values}."""
        files = glob.glob(str(self.uri / "Split-interactions" / "data_tfrecord-*"))
        users = {}
        for record in tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator():
            features = tf.train.Example.FromString(record).features.feature
            values = {}
            for name, feature in features.items():
                kind = feature.WhichOneof("kind")
                values[name] = list(getattr(feature, kind).value)
            (user_id,) = values.pop("user_id")
            assert user_id not in users
            users[user_id] = values
        return users


def test_writes_one_record_per_user(tmp_path):
    path = tmp_path / "ratings.csv"
    path.write_text(
        HEADER + "b,x,5,30\na,y,4.5,20\n\na,é 1,3,10\na,007,2,10\nb,x,1,40\n"
    )
    run = Run(tmp_path, path)
    assert run.users() == {
        b"a": {
            "item_ids": ["é 1".encode(), b"007", b"y"],
            "timestamps": [10, 10, 20],
            "ratings": [3.0, 2.0, 4.5],
        },
        b"b": {"item_ids": [b"x"], "timestamps": [30], "ratings": [5.0]},
    }
    assert json.loads(run.split_names) == ["interactions"]
    expected = {
        "rows_read": 5,
        "rows_skipped": 0,
        "rows_below_min_rating": 0,
        "duplicates_dropped": 1,
        "users_dropped_by_filter": 0,
        "num_users": 2,
        "num_items": 4,
        "num_interactions": 4,
        "has_ratings": 1,
        "has_timestamps": 1,
    }
    assert run.properties | expected == run.properties
    written = json.loads((run.uri / "reading.json").read_text())
    assert written | expected == written
    assert run.properties["payload_format"] == "FORMAT_TF_EXAMPLE"
    assert "num_files:1" in run.properties["input_fingerprint"]


def test_without_times_the_order_of_input_counts(tmp_path):
    path = tmp_path / "likes.tsv"
    path.write_text("user\titem\nu\tb\nv\tb\nu\ta\nu\tb\nu\tc\n")
    run = Run(tmp_path, path)
    assert run.users() == {
        b"u": {"item_ids": [b"b", b"a", b"c"], "timestamps": [0, 1, 2]},
        b"v": {"item_ids": [b"b"], "timestamps": [0]},
    }
    assert run.properties["has_timestamps"] == 0
    assert run.properties["has_ratings"] == 0


def test_files_of_a_folder_are_read_in_order_of_name(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    (folder / "2.csv").write_text(HEADER + "u,b,1,5\n")
    (folder / "1.csv").write_text(HEADER + "u,c,1,5\nu,d,1,5\n")
    (folder / "3.csv").write_text(HEADER + "u,a,1,5\nu,z,1,4\n")
    run = Run(tmp_path, folder)
    assert run.users()[b"u"]["item_ids"] == [b"z", b"c", b"d", b"b", b"a"]


def test_files_must_have_the_same_columns(tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    (folder / "1.csv").write_text(HEADER + "u,b,1,5\n")
    (folder / "2.csv").write_text("userId,movieId,timestamp\nu,c,5\n")
    with pytest.raises(ValueError, match=r"2.csv: all files must have the columns"):
        Run(tmp_path, folder)


def test_number_of_partitions_makes_no_difference(tmp_path, monkeypatch):
    path = tmp_path / "r.csv"
    rows = (f"u{i * 7 % 31},i{i * 11 % 17},{i % 5},{i % 13}\n" for i in range(600))
    path.write_text(HEADER + "".join(rows))
    (tmp_path / "one").mkdir()
    (tmp_path / "many").mkdir()
    one = Run(tmp_path / "one", path)
    monkeypatch.setattr(executor, "PARTITION_BYTES", 1000)
    many = Run(tmp_path / "many", path)
    assert len(one.users()) == 31
    assert one.users() == many.users()
    counts = ("num_users", "num_items", "num_interactions", "duplicates_dropped")
    assert [one.properties[c] for c in counts] == [many.properties[c] for c in counts]
    assert one.properties["num_items"] == 17


def test_bad_row_stops_the_run_with_a_clear_message(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + "u,i,5,10\nu,j,five,10\n")
    with pytest.raises(ValueError, match="must be a finite number") as caught:
        Run(tmp_path, path)
    assert str(caught.value) == (
        f"{path}, line 3, column 'rating' (column 3): must be a finite number; got "
        "'five'. Correct the row, or set `data.bad_rows: skip` to leave such rows out "
        "and count them."
    )


def test_bad_rows_can_be_left_out_and_are_counted(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + "u,i,5,10\nu,j,five,10\nu,k\n,k,5,10\nu,l,4,11\n")
    run = Run(tmp_path, path, bad_rows="skip")
    assert run.users()[b"u"]["item_ids"] == [b"i", b"l"]
    assert (run.properties["rows_read"], run.properties["rows_skipped"]) == (5, 3)
    assert json.loads(run.properties["rows_skipped_by_kind"]) == {
        "bad_rating": 1,
        "blank_user": 1,
        "wrong_number_of_fields": 1,
    }
    written = json.loads((run.uri / "reading.json").read_text())
    assert [message.split(", ")[1][:6] for message in written["bad_rows"]] == [
        "line 3",
        "line 4",
        "line 5",
    ]


def test_nothing_left_after_the_filters(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + "u,i,5,10\nu,j,1,10\nv,j,5,10\n")
    with pytest.raises(ValueError, match="none is left of 3 rows") as caught:
        Run(tmp_path, path, min_rating=3, min_interactions=2)
    assert "1 were below `data.min_rating`, and 2 users" in str(caught.value)


def test_only_bad_rows(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text(HEADER + "u,i,x,10\n")
    with pytest.raises(ValueError, match="none is left of 1 rows: 1 could not be read"):
        Run(tmp_path, path, bad_rows="skip")


def test_missing_file(tmp_path):
    with pytest.raises(ValueError, match="must be a file of interactions"):
        Run(tmp_path, tmp_path / "absent.csv")


def test_same_input_and_settings_come_from_the_cache(tmp_path):
    path = tmp_path / "name with [brackets] & spaces.csv"
    path.write_text(HEADER + "u,i,5,10\nv,i,2,10\n")
    first = Run(tmp_path, path)
    assert "num_files:1" in first.properties["input_fingerprint"]
    assert Run(tmp_path, path).uri == first.uri
    changed = Run(tmp_path, path, min_rating=3)
    assert changed.uri != first.uri
    assert changed.properties["num_users"] == 1
    path.write_text(HEADER + "u,i,5,10\n")
    assert Run(tmp_path, path).properties["num_users"] == 1


def test_folder_that_looks_like_a_pattern(tmp_path):
    with pytest.raises(ValueError, match="must have none of"):
        InteractionsExampleGen(str(tmp_path / "[a]" / "r.csv"), reading=ReadingConfig())


def test_settings_travel_as_json():
    config = ReadingConfig(columns={"user": 0, "item": "ünï"}, delimiter="\t")
    text = proto_utils.proto_to_json(executor.pack_config(config))
    assert executor.unpack_config(text) == config


def test_movielens_100k(tmp_path, data_dir):
    path = data_dir / "ml-100k" / "u.data"
    if not path.exists():
        pytest.skip(f"needs {path}")
    run = Run(tmp_path, path)
    # These are the counts in ml-100k's README.
    counts = ("num_users", "num_items", "num_interactions", "rows_read")
    assert [run.properties[name] for name in counts] == [943, 1682, 100_000, 100_000]
    expected = {}
    with open(path, newline="") as f:
        for user, item, rating, time in csv.reader(f, delimiter="\t"):
            expected.setdefault(user.encode(), []).append((int(time), item, rating))
    for rows in expected.values():
        rows.sort(key=lambda row: row[0])
    users = run.users()
    assert users.keys() == expected.keys()
    for user, rows in expected.items():
        times, items, ratings = zip(*rows, strict=True)
        assert users[user] == {
            "item_ids": [item.encode() for item in items],
            "timestamps": list(times),
            "ratings": list(map(float, ratings)),
        }


def test_histories_are_merged_across_spans_and_nothing_counts_twice(tmp_path):
    for number, rows in {
        1: "a,x,3,10\nb,x,3,11\n",
        2: "a,y,4,20\nc,z,4,21\n",
        3: "a,x,5,30\na,w,5,31\n",  # x again, as if delivered late
    }.items():
        (tmp_path / f"span-{number}").mkdir()
        (tmp_path / f"span-{number}" / "day.csv").write_text(HEADER + rows)
    first = Run(tmp_path, tmp_path / "span-{SPAN}" / "*")
    assert first.users() == {
        b"a": {
            "item_ids": [b"x", b"y", b"w"],
            "timestamps": [10, 20, 31],
            "ratings": [3.0, 4.0, 5.0],
        },
        b"b": {"item_ids": [b"x"], "timestamps": [11], "ratings": [3.0]},
        b"c": {"item_ids": [b"z"], "timestamps": [21], "ratings": [4.0]},
    }
    assert first.properties["span"] == 3
    assert first.properties["duplicates_dropped"] == 1
    assert json.loads(first.properties["spans"])["read"] == 3

    # A second run takes the cached result; a new day makes it another input.
    assert len(Run(tmp_path, tmp_path / "span-{SPAN}" / "*").executions) == 2
    (tmp_path / "span-4").mkdir()
    (tmp_path / "span-4" / "day.csv").write_text(HEADER + "d,x,3,40\n")
    third = Run(tmp_path, tmp_path / "span-{SPAN}" / "*")
    assert third.properties["span"] == 4
    assert b"d" in third.users()


def test_the_drift_of_the_newest_span_is_noted_and_stops_the_run(tmp_path):
    for number, item in enumerate("xxxz"):
        (tmp_path / f"{number}.csv").write_text(HEADER + f"a,{item},3,{number}\n")
    example_gen = InteractionsExampleGen(
        f"{tmp_path}/{{SPAN}}.csv",
        reading=ReadingConfig(),
        drift=DriftConfig(new_items=0.5),
    )
    text = example_gen.exec_properties["custom_config"]
    assert executor.unpack_config(text) == ReadingConfig()
    with pytest.raises(ValueError, match=r"Span 3 .* has drifted.*\n.*new_items: 1 of"):
        Run(tmp_path, f"{tmp_path}/{{SPAN}}.csv", drift=DriftConfig(new_items=0.5))
    (tmp_path / "3.csv").unlink()
    run = Run(tmp_path, f"{tmp_path}/{{SPAN}}.csv", drift=DriftConfig(new_items=0.5))
    noted = json.loads(run.properties["drift"])
    assert (noted["span"], noted["against"]) == ("2", 2)
    assert noted["figures"]["popularity"] == 0
