"""Tests reading files of users that are damaged or of another form."""

import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.serving import audience


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("u.txt", b"\xff\n"),
        ("u.csv", b"user_id\n" + b"x" * (17 << 20)),
        ("u.jsonl", b'{"user_id": "a"}\n{'),
        ("u.jsonl", b"[" * 100_000),
        ("u.jsonl", b"\xff"),
        ("u.parquet", b"PAR1"),
    ],
)
def test_a_damaged_file_is_refused_by_name(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"{name}.* must be "):
        list(audience.of_file(path, 10))


def test_baskets_that_are_none(tmp_path):
    path = tmp_path / "u.parquet"
    parquet.write_table(pa.table({"user_id": ["a"], "item_ids": [1]}), path)
    with pytest.raises(ValueError, match=r"u\.parquet: must be a file of users"):
        list(audience.of_file(path, 10))
