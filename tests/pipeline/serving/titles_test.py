"""Tests reading the file of titles that commands take and runs write."""

import pathlib

import pytest

from pipeline.data import titles as written
from pipeline.serving import titles


def test_what_a_run_writes_is_read(tmp_path):
    told = {"1": 'a, "b"\r\nc', "2" * 200_000: "x" * 200_000}
    written.write(told, tmp_path)
    assert titles.read(tmp_path / written.FILE_NAME) == told


def test_there_may_be_no_file():
    assert titles.read(pathlib.Path("absent.csv")) == {}


def test_a_row_may_have_no_title(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("item_id,title\n1\n2,two\n")
    assert titles.Titles(path).search("two", ["1", "2"], 5) == ["2"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no column item_id and no title"),
        (b"id,title\n1,one\n", "no column item_id"),
        (b"item_id,title\n1,\xff\n", "can't decode"),
        (b"x" * (17 << 20), "field larger than"),
    ],
)
def test_another_file_is_refused_by_name(tmp_path, content, why):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"t\.csv: must be a CSV of .*{why}"):
        titles.read(path)
