"""Items' titles come from the configured place, and are read before a run."""

import bz2
import gzip
import json
import lzma
import pathlib
import re

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.interactions_example_gen.config import ReadingConfig
from pipeline.data import catalogue, titles

EXPECTED = {"10": "Café [1999]", "20": "Good, the Bad"}


def _write(tmp_path, name):
    """Writes the two titles in one of the forms that are read."""
    path = tmp_path / name
    rows = [
        {"sku": item, "price": 1, "name": title} for item, title in EXPECTED.items()
    ]
    if name.endswith(".parquet"):
        parquet.write_table(pa.Table.from_pylist(rows), path)
    elif name.endswith(".jsonl"):
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif name == "plain.csv":
        path.write_text('10,Café [1999]\n20,"Good, the Bad"\n')
    elif name == "windows.csv":
        path.write_bytes(
            'id,title\n10,Café [1999]\n20,"Good, the Bad"'.encode("cp1252")
        )
    elif name == "movies.dat":
        path.write_text("10::Café [1999]::Drama\n20::Good, the Bad::War\n")
    else:
        path.write_text("price;sku;name\n1;10;Café [1999]\n1;20;Good, the Bad\n")
    return path


@pytest.mark.parametrize(
    "name",
    ["products.csv", "p.parquet", "p.jsonl", "plain.csv", "windows.csv", "movies.dat"],
)
def test_a_file_of_titles(tmp_path, name):
    path = _write(tmp_path, name)
    data = catalogue.Dataset("d", tmp_path / "unused.csv")
    assert titles.find(str(path), ReadingConfig(), data) == EXPECTED


def test_signs_of_windows_are_read(tmp_path):
    (tmp_path / "t.csv").write_bytes("id,title\n1,„Süß“ 5 €\n".encode("cp1252"))
    assert titles.of_file(tmp_path / "t.csv", None) == {"1": "„Süß“ 5 €"}


def test_a_named_column_of_the_file(tmp_path):
    path = _write(tmp_path, "products.csv")
    found = titles.of_file(path, "price")
    assert found == {"10": "1", "20": "1"}
    with pytest.raises(ValueError, match=r"column 'label' of titles; the file has"):
        titles.of_file(path, "label")


def test_a_column_of_the_interactions(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text(
        "user;sku;what\nu;10;\nu;10;Café [1999]\nv;10;other\nv;20;Good, the Bad\n"
    )
    data = catalogue.Dataset("sales", path)
    config = ReadingConfig(columns={"title": "what"})
    assert titles.find("auto", config, data) == EXPECTED
    config = ReadingConfig(columns={"title": "label"})
    with pytest.raises(ValueError, match="a column named 'label' for `title`"):
        titles.find("auto", config, data)


def test_movielens_file_is_taken_and_no_other(tmp_path):
    data = catalogue.Dataset("d", tmp_path, _write(tmp_path, "movies.dat"))
    assert titles.find("auto", ReadingConfig(), data) == EXPECTED
    assert titles.find(None, ReadingConfig(), data) == {}
    (tmp_path / "movies.dat").write_text("no titles at all")
    assert titles.find("auto", ReadingConfig(), data) == {}


PACKED = {"gz": gzip.compress, "bz2": bz2.compress, "xz": lzma.compress}


@pytest.mark.parametrize("how", PACKED)
def test_movielens_file_may_be_packed(tmp_path, how):
    path = tmp_path / f"movies.dat.{how}"
    path.write_bytes(PACKED[how](_write(tmp_path, "movies.dat").read_bytes()))
    assert titles.of_file(path, None) == EXPECTED


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.csv.gz", b"not packed"),
        ("movies.csv.bz2", bz2.compress(b"movieId,title\n1,a\n")[:-9]),
        ("movies.dat.xz", b"\xfd7zXZ\0 and no more"),
        ("movies.csv", b'movieId,title\n1,"open\n2,b\n'),
        ("movies.dat", b"1\n2\n"),
        ("x.item", b"id\ttitle\n1\ta\n"),
        ("x.item", b"\0" * 9),
        ("x.item", b"item_id:token\tmovie_title:token_seq\trelease_year:token\n1\n"),
        ("x.item", b"x" * 200_000),
    ],
)
def test_what_is_damaged_is_named_where_it_was_asked_for(tmp_path, name, content):
    """A damaged file that merely stands beside the ratings is not an error."""
    path = tmp_path / name
    path.write_bytes(content)
    data = catalogue.Dataset("d", tmp_path, path)
    assert titles.find("auto", ReadingConfig(), data) == {}
    with pytest.raises(ValueError, match=re.escape(name)):
        titles.find(str(path), ReadingConfig(), data)


def test_titles_of_any_length_are_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "_LARGEST_TITLES", 1 << 20)
    path = tmp_path / "movies.dat.gz"
    path.write_bytes(gzip.compress(b"1::" + b"x" * (1 << 21), mtime=0))
    with pytest.raises(ValueError, match="at most 1 MB of titles"):
        titles.of_file(path, None)


@pytest.mark.parametrize(
    ("name", "said"),
    [("absent.csv", "there is no"), ("book.xlsx", "must be a file such as")],
)
def test_a_file_that_was_asked_for_must_be_one(tmp_path, name, said):
    (tmp_path / "book.xlsx").touch()
    with pytest.raises(ValueError, match=said):
        titles.of_file(tmp_path / name, None)


def test_the_name_of_a_file_may_be_impossible():
    with pytest.raises(ValueError, match="cannot be read: File name too long"):
        titles.of_file(pathlib.Path("n" * 5000 + ".csv"), None)


@pytest.mark.parametrize("title", [[["Alien"]], [{"en": "Alien"}]])
def test_titles_must_be_text_or_numbers(tmp_path, title):
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"item_id": ["1"], "title": title}), path)
    with pytest.raises(ValueError, match=r"t\.parquet: .* must be text or numbers"):
        titles.of_file(path, None)


def test_text_of_parquet_must_be_utf8(tmp_path):
    path = tmp_path / "t.parquet"
    text = pa.Array.from_buffers(pa.string(), 1, pa.array([b"Caf\xe9"]).buffers())
    parquet.write_table(pa.table({"item_id": ["1"], "title": text}), path)
    with pytest.raises(ValueError, match=r"t\.parquet: .* Invalid UTF8 sequence"):
        titles.of_file(path, None)


def test_zero_bytes_are_left_out(tmp_path):
    """Python's CSV writer fails on zero bytes, which ended runs after the push."""
    path = tmp_path / "t.parquet"
    parquet.write_table(pa.table({"item_id": ["1"], "title": ["Ali\0en"]}), path)
    titles.write(titles.of_file(path, None), tmp_path)
    assert (tmp_path / titles.FILE_NAME).read_text() == "item_id,title\n1,Alien\n"


def test_other_titles_have_another_digest(tmp_path):
    digests = []
    for name in ("Alien", "Aliens", "Alien"):
        titles.write({"10": name}, tmp_path)
        digests.append(titles.digest(tmp_path))
    assert digests[0] == digests[2] != digests[1]


def test_those_of_an_earlier_run_do_not_stay(tmp_path):
    titles.write(EXPECTED, tmp_path)
    lines = (tmp_path / "titles.csv").read_text().splitlines()
    assert lines == ["item_id,title", "10,Café [1999]", '20,"Good, the Bad"']
    titles.write({}, tmp_path)
    assert titles.digest(tmp_path) == ""
    assert not (tmp_path / "titles.csv").exists()
