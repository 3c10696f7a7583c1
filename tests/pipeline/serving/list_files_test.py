"""Lines of JSON against Python's own reader."""

import json

import numpy as np
import pyarrow as pa

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
