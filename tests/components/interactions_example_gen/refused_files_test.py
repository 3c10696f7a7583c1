"""Files that are refused: unreadable, misleading, or made of arbitrary bytes."""

import csv
import gzip
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from components.interactions_example_gen import reading
from components.interactions_example_gen.config import ReadingConfig
from tests.components.interactions_example_gen.reading_files import (
    HEADER,
    SKIP,
    read_rows,
    refusal,
    write,
)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "must hold interactions"),
        ("\n\n", "must hold interactions"),
        (HEADER, "must hold interactions"),
        (HEADER + "\n\n", "must hold interactions"),
        ("userId,rating\n1,5\n", "must be a column for `item`; the file has"),
        ("movieId,rating\n1,5\n", "must be a column for `user`"),
        ("just text\nmore text\n", "at least a user and an item"),
        ("a b c d\n1 2 3 4\n", "set `data.delimiter`"),
        ("cust,product,grade\nu,i,5\n", "names that are not known"),
        ("cust,product\n1,2\n", "names that are not known"),
        ('userId,movieId\n"u,i\nv,j\n', "line 2: a double quote must be closed"),
        ('userId,movieId\n1,2\n"u\nx",i\nv,j\n', "line 3: a double quote must"),
        (HEADER.encode("utf-16"), "must be UTF-8 text"),
        ("größe,movieId\n".encode("latin-1"), "line 1: must be UTF-8 text"),
    ],
)
def test_file_that_cannot_be_read(tmp_path, content, said):
    path = write(tmp_path, content)
    for config in (ReadingConfig(), SKIP):
        message = refusal(path, config)
        assert said in message
        assert path in message
    with pytest.raises(ValueError, match=r"r\.csv"):
        reading.check_input(path, ReadingConfig())


def test_encoding_of_all_rows_is_no_matter_of_skipping(tmp_path):
    rows = "1,Öl\n2,Käse\n"
    path = write(tmp_path, f"userId,movieId\n{rows}".encode("cp1252"))
    assert "bad_rows" not in refusal(path)
    path = write(tmp_path, f"userId,movieId\n{rows}3,Tee\n".encode("cp1252"))
    assert "set `data.bad_rows: skip`" in refusal(path)


def test_what_excel_writes_above_the_header(tmp_path):
    for line in ("sep=;", '"sep=,"', "SEP=\t"):
        path = write(tmp_path, f"{line}\nuser;item\n1;2\n")
        assert "only tells Excel what separates the fields" in refusal(path)


def test_a_name_that_two_columns_have(tmp_path):
    path = write(tmp_path, "user,item,item,time\n1,10,20,100\n")
    message = refusal(path)
    assert "['item'] stand there more than once" in message
    assert "`data.columns.item: 1`" in message
    by_place = ReadingConfig(columns={"item": 2})
    assert read_rows(path, by_place) == [("1", "20", 100.0)]
    unused = write(tmp_path, "user,item,x,x\n1,10,20,100\n")
    assert read_rows(unused) == [("1", "10", 0.0)]


@pytest.mark.parametrize("lines", ["1,Öl\n2,Käse\n", "1,Tee\n2,Käse\n"])
def test_ids_of_another_encoding_are_to_be_converted(tmp_path, lines):
    path = write(tmp_path, f"userId,movieId\n{lines}".encode("cp1252"))
    message = refusal(path, ReadingConfig())
    assert "`iconv -f WINDOWS-1252 -t UTF-8 OLD.csv > NEW.csv`" in message


def test_wrong_delimiter(tmp_path):
    path = write(tmp_path, "user;item\n1;2\n")
    message = refusal(path, ReadingConfig(delimiter=","))
    assert "split at ',' it has the one field 'user;item'" in message


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"user": "visitor"}, "a column named 'visitor' for `user`; the file has"),
        ({"timestamp": "when"}, "a column named 'when' for `timestamp`"),
        ({"item": 4}, "position 4, counted from 0, but a row has 4 fields"),
        ({"item": "userId"}, "each column can serve one purpose"),
    ],
)
def test_wrong_columns(tmp_path, columns, said):
    path = write(tmp_path, HEADER + "1,10,5,100\n")
    assert said in refusal(path, ReadingConfig(columns=columns))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("2009-12-14,u,i", True),
        ("14/12/2009 02:52,u,i", True),
        ("1262304000,u,i", True),
        ("1262304000000,u,i", True),
        ("1262304000,u,i,5,2009-12-14", False),  # The last column is the time.
        ("7,u", False),
    ],
)
def test_a_time_in_the_first_column_is_not_taken_for_a_user(tmp_path, line, refused):
    path = write(tmp_path, f"{line}\n{line}\n")
    if refused:
        assert "looks like a time, where a user is expected" in refusal(path)
        assert len(read_rows(path, ReadingConfig(columns={"user": 0, "item": 1}))) == 2
    else:
        reading.find_layout(path, ReadingConfig())


def test_null_leaves_a_column_out(tmp_path):
    path = write(tmp_path, HEADER + "1,10,none,100\n")
    assert read_rows(path, ReadingConfig(columns={"rating": None})) == [
        ("1", "10", 100.0)
    ]
    path = write(tmp_path, "1,10,5,100\n")
    config = ReadingConfig(columns={"rating": None, "timestamp": None})
    assert read_rows(path, config) == [("1", "10", 0.0)]


def test_decimal_commas_and_forms_of_dates(tmp_path):
    path = write(
        tmp_path, "user;item;rating;date\n1;10;5,0;14.12.2009\n2;20;1.004;15.12.2009\n"
    )
    config = ReadingConfig(decimal=",", timestamp_format="%d.%m.%Y")
    assert read_rows(path, config) == [
        ("1", "10", 1260748800.0, 5.0),
        ("2", "20", 1260835200.0, 1004.0),
    ]


def test_a_rating_too_large_for_its_type_is_none(tmp_path):
    path = write(tmp_path, HEADER + "1,10,5,100\n1,20,1e39,100\n")
    assert "line 3, column 'rating' (column 3): must be a finite" in refusal(path)


def test_a_line_without_end_takes_neither_time_nor_memory(tmp_path):
    endless = gzip.compress(b"x" * (64 << 20))
    path = tmp_path / "r.csv.gz"
    path.write_bytes(endless)
    assert "line 1: a line must end within" in refusal(str(path))
    path.write_bytes(gzip.compress(HEADER.encode() + b"1,2,3,4\n") + endless)
    assert "line 3: a line must end within" in refusal(str(path))


def test_long_values_are_not_printed_whole(tmp_path):
    long = "x" * 200_000
    for content in (f"{long},item\n1,2\n", f"user,{long}\n1,2\n", f"{long}\n"):
        assert len(refusal(write(tmp_path, content))) < 1000


def test_what_is_no_regular_file_is_refused(tmp_path):
    write(tmp_path, HEADER + "1,10,5,100\n", "a.csv")
    pipe, folder, link = (tmp_path / f"{n}.csv" for n in ("pipe", "folder", "link"))
    os.mkfifo(pipe)
    with pytest.raises(ValueError, match=r"pipe\.csv: must be a regular file"):
        reading.check_input(str(tmp_path), ReadingConfig())
    pipe.unlink()
    folder.mkdir()
    with pytest.raises(ValueError, match=r"folder\.csv: must be a regular file"):
        reading.check_input(str(tmp_path), ReadingConfig())
    folder.rmdir()
    link.symlink_to(tmp_path / "absent.csv")
    with pytest.raises(ValueError, match=r"link\.csv: cannot be read: No such file"):
        reading.check_input(str(tmp_path), ReadingConfig())


def test_columns_of_one_name_in_parquet(tmp_path):
    path = str(tmp_path / "r.parquet")
    columns = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    parquet.write_table(pa.table(columns, names=["user", "user", "item"]), path)
    assert "'user'] stand there more than once" in refusal(path)


def test_an_id_of_two_lines_is_refused(tmp_path):
    path = str(tmp_path / "r.parquet")
    parquet.write_table(pa.table({"user": ["a", "b"], "item": ["1", "2\n3"]}), path)
    assert "row 2, column 'item' (column 2): must be one line of text" in refusal(path)


def test_min_rating_needs_ratings(tmp_path):
    path = write(tmp_path, "user,item\nu,i\n")
    assert "`data.min_rating` needs ratings" in refusal(
        path, ReadingConfig(min_rating=4)
    )


def test_truncated_gzip(tmp_path):
    content = HEADER + "".join(f"{i},{i * 7919 % 1009},3,{i}\n" for i in range(9000))
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(content.encode())[:-900])
    for config in (ReadingConfig(), SKIP):
        message = refusal(str(path), config)
        assert "must be a complete gzip file" in message
        assert str(path) in message


def test_gzip_that_is_none(tmp_path):
    (tmp_path / "r.csv.gz").write_text(HEADER + "1,10,5,100\n")
    assert "drop `.gz` from its name" in refusal(str(tmp_path / "r.csv.gz"))


@pytest.mark.parametrize("content", [b"PAR1 not really", b""])
def test_damaged_parquet(tmp_path, content):
    path = write(tmp_path, content, "r.parquet")
    assert "must be a complete Parquet file" in refusal(path)


def test_parquet_without_rows(tmp_path):
    path = str(tmp_path / "r.parquet")
    parquet.write_table(pa.table({"user": ["a"], "item": ["b"]}).slice(0, 0), path)
    assert "must hold interactions" in refusal(path)


@pytest.mark.parametrize(
    ("column", "values", "said"),
    [
        ("user", [1.0], "`user` must be strings or integers; it is double"),
        ("item", [[1]], "`item` must be strings or integers; it is list"),
        ("rating", [{"a": 1}], "`rating` must be numbers; it is struct"),
    ],
)
def test_parquet_column_of_a_wrong_type(tmp_path, column, values, said):
    path = str(tmp_path / "r.parquet")
    columns = {"user": ["a"], "item": ["b"], "rating": [1.0]} | {column: values}
    parquet.write_table(pa.table(columns), path)
    assert said in refusal(path)


def test_check_input_reads_no_more_than_the_first_block(tmp_path):
    good = "1,10,5,100\n" * 200_000  # 2 MB, and the first block is 1 MB
    path = write(tmp_path, HEADER + good + "1,10,x,100\n")
    found = reading.check_input(path, ReadingConfig())
    assert (found.delimiter, found.columns()["user"]) == (",", "userId")
    assert "line 200002" in refusal(path)


def test_check_input_of_a_folder(tmp_path):
    with pytest.raises(ValueError, match="there is none"):
        reading.check_input(str(tmp_path), ReadingConfig())
    write(tmp_path, "", "_SUCCESS")
    write(tmp_path, "", "a.csv")
    write(tmp_path, HEADER + "1,10,5,100\n", "b.csv")
    with pytest.raises(ValueError, match=r"a\.csv: must hold interactions"):
        reading.check_input(str(tmp_path), ReadingConfig())
    assert reading.check_input(str(tmp_path), SKIP).has_header


def test_float_ratings_keep_their_value(tmp_path):
    (block,) = reading.read_blocks(write(tmp_path, HEADER + "1,1,3.7,1\n"), SKIP)
    assert block.rows.column("rating").to_numpy()[0] == np.float32(3.7)


# An id may be any text without line ends and zero bytes that is not all blank.
IDS = st.text(
    st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]), min_size=1
).filter(lambda text: text.strip())


@settings(max_examples=25, deadline=None)
@given(rows=st.lists(st.tuples(IDS, IDS, st.integers(0, 2**31)), min_size=1))
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_reads_what_the_csv_module_writes(tmp_path_factory, rows, delimiter):
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    with open(path, "w", newline="", encoding="utf-8") as f:
        writer = csv.writer(f, delimiter=delimiter, lineterminator="\n")
        writer.writerow(["user", "item", "time"])
        writer.writerows(rows)
    config = ReadingConfig(delimiter=delimiter)
    assert read_rows(str(path), config) == [(u, i, float(t)) for u, i, t in rows]


PIECES = [
    *(b"user,item\n", b"1,2\n", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"::"),
    *(b"u;i;4,5;1/2/2009\n", b"{", b'{"user": 1, "item": 2}\n'),
]


def _read_or_refused(path, config):
    """Returns the blocks that were read, or the message if the file is refused."""
    try:
        return list(reading.read_blocks(path, config))
    except ValueError as error:
        return str(error)


@settings(max_examples=150, deadline=None)
@given(
    content=st.binary(max_size=300)
    | st.lists(st.sampled_from(PIECES), max_size=20).map(b"".join),
    name=st.sampled_from(["r.csv", "r.dat", "r.jsonl", "r.parquet", "r.csv.gz"]),
    config=st.sampled_from([ReadingConfig(), SKIP]),
)
def test_any_bytes_are_read_or_refused(tmp_path_factory, content, name, config):
    path = tmp_path_factory.mktemp("any") / name
    path.write_bytes(content)
    found = _read_or_refused(str(path), config)
    if isinstance(found, str):
        assert str(path) in found
    else:
        kept = sum(len(block.rows) for block in found)
        left_out = sum(block.skipped.total() for block in found)
        assert sum(block.rows_read for block in found) == kept + left_out


def test_a_row_of_wrong_fields_that_is_no_text_either(tmp_path):
    path = write(tmp_path, b"user,item\n1,2\n\x80\n\xff,3\n")
    assert "line 3: a row must have 2 fields" in refusal(path)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"wrong_number_of_fields": 1, "not_utf8_user": 1}
