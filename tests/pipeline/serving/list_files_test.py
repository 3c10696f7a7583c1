"""Python's own reader understands the JSON lines; files in buckets are written."""

import io
import json

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf
from pyarrow import csv, parquet
from pyarrow import json as arrow_json

from ncf_model.serving import list_tables
from pipeline.serving import list_files

ROWS = [
    ('"', 1, "back\\slash", 0.1, "two\nlines"),
    ("\u2028", 2**31 - 1, "", 1e-30, "snow \u2603"),
    ("ann", -1, "i", 1.0, "\0"),
    ("ann", 4, "i", float("nan"), ""),
    ("ann", 5, "j", float("-inf"), ""),
]


def _table(rows):
    columns = zip(*rows, strict=True) if rows else [[]] * 5
    return pa.table([*columns], schema=list_tables.SCHEMA)


READERS = {
    "parquet": lambda content: parquet.read_table(io.BytesIO(content)),
    "csv": lambda content: csv.read_csv(io.BytesIO(content)),
    "jsonl": lambda content: arrow_json.read_json(io.BytesIO(content)),
}


@pytest.mark.parametrize("form", READERS)
def test_a_bucket_gets_the_rows(form):
    """TensorFlow's file system in memory stands in for the bucket."""
    name = f"ram://bucket/lists.{form}"
    with list_files.ListFiles(name, 1) as files:
        files.write(0, _table(ROWS[3:4]))
        files.write(0, _table(ROWS[3:4]))
    with tf.io.gfile.GFile(name, "rb") as f:
        found = READERS[form](f.read())
    assert found.column_names == list_tables.SCHEMA.names
    assert found["user_id"].to_pylist() == ["ann", "ann"]


@pytest.mark.parametrize("form", READERS)
def test_what_the_bucket_says_is_an_error_of_the_system(form):
    said = r"none://bucket/lists.* 'none'"
    files = list_files.ListFiles(f"none://bucket/lists.{form}", 1)
    with pytest.raises(OSError, match=said), files:
        files.write(0, _table(ROWS[3:4]))


def test_a_folder_may_be_a_url(tmp_path):
    with list_files.ListFiles(f"file://{tmp_path}/new/lists.jsonl", 2) as files:
        files.write(0, _table(ROWS[3:4]))
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "lists-00000-of-00002.jsonl",
        "lists-00001-of-00002.jsonl",
    ]


@pytest.mark.parametrize("start", ["file:", "file://localhost", "FILE://"])
def test_forms_of_a_url_of_this_machine(start):
    files = list_files.ListFiles(f"{start}/tmp/a%20b.csv", 1)
    assert files.names == ["/tmp/a b.csv"]


def test_a_file_of_another_machine_is_refused():
    with pytest.raises(ValueError, match="names the machine 'tmp'"):
        list_files.ListFiles("file://tmp/lists.csv", 1)


def test_json_lines_are_the_rows(tmp_path):
    path = tmp_path / "a.jsonl"
    with list_files.ListFiles(str(path), 1) as files:
        files.write(0, _table(ROWS[:2]))
        files.write(0, _table([]))
        files.write(0, _table(ROWS).slice(2))
    lines = path.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    found = [json.loads(line) for line in lines]
    assert [list(row) for row in found] == [list_tables.SCHEMA.names] * 5
    for row, (user, rank, item, score, title) in zip(found, ROWS, strict=True):
        assert (row["user_id"], row["rank"]) == (user, rank)
        assert (row["item_id"], row["title"]) == (item, title)
        if np.isfinite(score):
            assert np.float32(row["score"]) == np.float32(score)
        else:
            assert row["score"] is None
