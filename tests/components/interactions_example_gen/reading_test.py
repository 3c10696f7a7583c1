import bz2
import csv
import gzip
import lzma
import os
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from components.interactions_example_gen import reading
from components.interactions_example_gen.config import ReadingConfig

HEADER = "userId,movieId,rating,timestamp\n"
SKIP = ReadingConfig(bad_rows="skip")


def _file(tmp_path, content, name="r.csv"):
    path = tmp_path / name
    content = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
    return str(path)


def _rows(path, config=ReadingConfig(), **kwargs):  # noqa: B008 (immutable)
    blocks = list(reading.read_blocks(path, config, **kwargs))
    table = pa.Table.from_batches([b.rows for b in blocks])
    columns = table.to_pydict()
    columns["time"] = [t / 1e6 for t in columns["time"]]
    return list(zip(*columns.values(), strict=True))


def _error(path, config=ReadingConfig()):  # noqa: B008
    with pytest.raises(ValueError, match=r"r\.") as caught:
        list(reading.read_blocks(path, config))
    return str(caught.value)


TWO = [("1", "10", 100.0, 5.0), ("2", "20", 200.0, 4.0)]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ratings.csv", HEADER + "1,10,5,100\n2,20,4.0,200\n"),
        ("ratings.csv.gz", HEADER + "1,10,5,100\n2,20,4.0,200\n"),
        ("u.data", "1\t10\t5\t100\n2\t20\t4\t200\n"),
        ("ratings.dat", "1::10::5::100\n2::20::4::200\n"),
        ("ratings.dat.gz", "1::10::5::100\n2::20::4::200"),
        (
            "x.inter",
            "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
            "1\t10\t5\t100.0\n2\t20\t4\t200\n",
        ),
        ("other_order.tsv", "time\tstars\titem\tuser\n100\t5\t10\t1\n200\t4\t20\t2\n"),
        ("semicolons.csv", "User_ID;Item_ID;Rating;Time\n1;10;5;100\n2;20;4;200\n"),
        ("quoted.csv", '"user","item","rating","time"\n"1","10","5","100"\n2,20,4,200'),
        ("crlf.csv", HEADER.replace("\n", "\r\n") + "1,10,5,100\r\n\r\n2,20,4,200\r\n"),
        ("old_mac.csv", HEADER.replace("\n", "\r") + "1,10,5,100\r2,20,4,200\r"),
        ("bom.csv", "\ufeff" + HEADER + "1,10,5,100\n2,20,4,200\n"),
        ("blanks.csv", "\n\n" + HEADER + "\n1,10, 5 ,100\n\n2,20,4, 200\n\n"),
        ("dates.csv", HEADER + "1,10,5,1970-01-01T00:01:40Z\n2,20,4,200\n"),
    ],
)
def test_forms(tmp_path, name, content):
    assert _rows(_file(tmp_path, content, name)) == TWO


PACK = {
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".zst": lambda content: pa.Codec("zstd").compress(content, asbytes=True),
}


@pytest.mark.parametrize("extension", PACK)
def test_packed_forms(tmp_path, extension):
    content = (HEADER + "1,10,5,100\n2,20,4.0,200\n").encode()
    path = tmp_path / f"r.csv{extension}"
    path.write_bytes(PACK[extension](content))
    assert _rows(str(path)) == TWO
    path.write_bytes(PACK[extension](content)[:-5])
    assert f"complete {extension[1:]} file" in _error(str(path))


def test_a_zip_with_one_file_of_interactions(tmp_path):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/README", "about it")
        archive.writestr("data/sales.csv", HEADER + "1,10,5,100\n2,20,4.0,200\n")
    assert _rows(str(path)) == TWO
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/more.csv", HEADER)
    message = _error(str(path))
    assert "must hold one file of interactions" in message
    assert "'data/more.csv'" in message


def test_json_lines(tmp_path):
    lines = '{"user": "1", "item": "10", "time": 100, "rating": 5, "x": [1]}\n\n'
    lines += '{"rating": 4.0, "time": 200, "item": "20", "user": "2"}\n'
    assert _rows(_file(tmp_path, lines, "r.jsonl")) == TWO
    assert _rows(_file(tmp_path, lines, "r.ndjson.gz")) == TWO
    path = _file(tmp_path, lines + '{"user": "3", "time": 1, "rating": 1}\n', "r.jsonl")
    assert "row 4, column 'item'" in _error(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]\n", "line 1: must be a JSON object; got [1]"),
        ('{"user": 1\n', "line 1: must be a JSON object; Expecting"),
        ('{"user": "a", "item": "b"}\n' * 60 + "{\n", "one JSON object per line"),
    ],
)
def test_json_lines_that_are_none(tmp_path, content, said):
    assert said in _error(_file(tmp_path, content, "r.jsonl"))


@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("book.xlsx", "libreoffice --convert-to csv book.xlsx"),
        ("data.json", "jq -c '.[]' data.json"),
        ("shop.db", "sqlite3 -header -csv shop.db"),
        ("frame.pkl", "to_parquet"),
        ("all.tar.gz", "unpack it"),
    ],
)
def test_other_forms_are_refused_with_the_way_to_convert_them(tmp_path, name, how):
    (tmp_path / name).write_bytes(b"anything")
    for path in (tmp_path, tmp_path / name):
        with pytest.raises(ValueError, match="there is none; found") as refused:
            reading.check_input(str(path), ReadingConfig())
        assert how in str(refused.value)


def test_parquet(tmp_path):
    path = str(tmp_path / "r.parquet")
    table = pa.table(
        {
            "ts": pa.array([100_000, 200_000], pa.timestamp("ms")),
            "item_id": pa.array(["10", "20"]).dictionary_encode(),
            "user_id": pa.array([1, 2], pa.uint64()),
            "rating": pa.array([5, 4], pa.int8()),
        }
    )
    parquet.write_table(table, path)
    assert _rows(path) == TWO


def test_ids_are_kept_as_they_are(tmp_path):
    ids = [
        "007",
        "18446744073709551615",
        "Ünï çødé",
        " a b ",
        "-1",
        "1.50",
        "NULL",
        "日",
    ]
    content = "user,item\n" + "".join(f"{i},{i}\n" for i in ids)
    rows = _rows(_file(tmp_path, content))
    assert [row[0] for row in rows] == ids
    assert [row[1] for row in rows] == ids


def test_quotes_belong_to_the_value_where_a_form_does_not_quote(tmp_path):
    rows = _rows(_file(tmp_path, '"a::b"::5::100\nc::d"::5::100\n', "r.dat"))
    assert [row[:2] for row in rows] == [('"a', 'b"'), ("c", 'd"')]


def test_without_ratings_or_times(tmp_path):
    assert _rows(_file(tmp_path, "user,item\nu,i\n")) == [("u", "i", 0.0)]


@pytest.mark.parametrize(
    ("third", "expected"),
    [("3.5", ("u", "i", 0.0, 3.5)), ("978300019", ("u", "i", 978300019.0))],
)
def test_third_of_three_columns_is_a_rating_or_a_time(tmp_path, third, expected):
    assert _rows(_file(tmp_path, f"u,i,{third}\n")) == [expected]


def test_columns_by_position_and_by_name(tmp_path):
    path = _file(tmp_path, "x,100,u,i\n")
    by_position = ReadingConfig(columns={"user": 2, "item": 3, "timestamp": 1})
    assert _rows(path, by_position) == [("u", "i", 100.0)]
    path = _file(tmp_path, "who,what,when\nu,i,100\n")
    by_name = ReadingConfig(
        columns={"user": "who", "item": "what", "timestamp": "when"}
    )
    assert _rows(path, by_name) == [("u", "i", 100.0)]


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_block_size_makes_no_difference(tmp_path, block_bytes, end, monkeypatch):
    monkeypatch.setattr(reading.files, "_READ_BYTES", 5)
    content = HEADER + "".join(f"{i},{i * 7},{i % 5},{i}\n" for i in range(50))
    content = content.replace("\n", end).removesuffix(end)
    expected = [(str(i), str(i * 7), float(i), float(i % 5)) for i in range(50)]
    assert _rows(_file(tmp_path, content), block_bytes=block_bytes) == expected


BAD_LINES = [
    ("1,10,good,100", "bad_rating", "column 'rating' (column 3): must be a finite"),
    ("1,10,,100", "bad_rating", "got ''"),
    ("1,10,nan,100", "bad_rating", "got 'nan'"),
    ("1,10,-inf,100", "bad_rating", "got '-inf'"),
    ("1,10,5,soon", "bad_timestamp", "column 'timestamp' (column 4): must be a time"),
    ("1,10,5,", "bad_timestamp", "got ''"),
    ("1,10,5,NaN", "bad_timestamp", "got 'NaN'"),
    ("1,10,5,-1", "bad_timestamp", "got '-1'"),
    ("1,10,5,2001-02-30", "bad_timestamp", "got '2001-02-30'"),
    ("1,10,5,99999999999999999999999", "bad_timestamp", "from 1970 to 9999"),
    (",10,5,100", "blank_user", "column 'userId' (column 1): must not be blank"),
    ("1,  ,5,100", "blank_item", "column 'movieId' (column 2): must not be blank"),
    ("1,10,5", "wrong_number_of_fields", "must have 4 fields, split at ','; got 3"),
    ("1,10,5,1,2", "wrong_number_of_fields", "got 5"),
    ("no comma", "wrong_number_of_fields", "got 1"),
    (b"\xff\xfe,10,5,1", "not_utf8_user", "must be UTF-8 text; got b'\\xff\\xfe'"),
    (b"1,\xe9t\xe9,5,1", "not_utf8_item", "must be UTF-8 text; got b'\\xe9t\\xe9'"),
    (b"1,10,\xe9,1", "bad_rating", "got b'\\xe9'"),
]


@pytest.mark.parametrize(("line", "kind", "said"), BAD_LINES)
@pytest.mark.parametrize(("piece", "end"), [(1, b"\r\n"), (7, b"\n"), (1 << 20, b"\n")])
def test_bad_row(tmp_path, monkeypatch, line, kind, said, piece, end):
    monkeypatch.setattr(reading.files, "_READ_BYTES", piece)
    bad = line if isinstance(line, bytes) else line.encode()
    # Blank lines before it: they count as lines, and are no rows.
    content = HEADER.encode() + b"\n1,10,5,100\n\n" + bad + b"\n2,20,4,200\n"
    path = _file(tmp_path, content.replace(b"\n", end))

    message = _error(path)
    assert "r.csv, line 5" in message
    assert said in message
    assert "set `data.bad_rows: skip`" in message

    blocks = list(reading.read_blocks(path, SKIP, block_bytes=piece))
    assert len(blocks) == 1 if piece > 100 else len(blocks) > 1
    assert sum(b.rows_read for b in blocks) == 3
    assert sum((b.skipped for b in blocks), start=reading.Counter()) == {kind: 1}
    assert [bad.line for b in blocks for bad in b.bad_rows] == [5]
    assert _rows(path, SKIP) == TWO


def test_a_row_with_several_faults_counts_once(tmp_path):
    path = _file(tmp_path, HEADER + ",,x,y\n1,10,5\n1,10,5,100\n\n1,10,x,y\n")
    (block,) = reading.read_blocks(path, SKIP)
    assert block.rows_read == 4
    assert block.skipped == {
        "blank_user": 1,
        "wrong_number_of_fields": 1,
        "bad_rating": 1,
    }
    assert [(bad.line, bad.kind) for bad in block.bad_rows] == [
        (2, "blank_user"),
        (3, "wrong_number_of_fields"),
        (6, "bad_rating"),
    ]


def test_first_bad_row_is_the_one_told(tmp_path):
    path = _file(tmp_path, HEADER + "1,10,5,100\n1,10,5,soon\n1,10\n,10,5,100\n")
    assert "line 3" in _error(path)


def test_only_the_first_bad_rows_are_kept(tmp_path):
    path = _file(tmp_path, HEADER + "1,10,5,100\n" + "1,10,x,1\n" * 30)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"bad_rating": 30}
    assert [bad.line for bad in block.bad_rows] == list(range(3, 13))


def test_bad_rows_of_parquet_are_told_by_row(tmp_path):
    path = str(tmp_path / "r.parquet")
    columns = {"user": ["a", None, "c"], "item": [1, 2, 3], "rating": [1.0, 2.0, None]}
    parquet.write_table(pa.table(columns), path)
    assert "r.parquet, row 2, column 'user'" in _error(path)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"blank_user": 1, "bad_rating": 1}
    assert [bad.line for bad in block.bad_rows] == [2, 3]
    assert block.rows.to_pydict()["user"] == ["a"]


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
    path = _file(tmp_path, content)
    for config in (ReadingConfig(), SKIP):
        message = _error(path, config)
        assert said in message
        assert path in message
    with pytest.raises(ValueError, match=r"r\.csv"):
        reading.check_input(path, ReadingConfig())


def test_wrong_delimiter(tmp_path):
    path = _file(tmp_path, "user;item\n1;2\n")
    message = _error(path, ReadingConfig(delimiter=","))
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
    path = _file(tmp_path, HEADER + "1,10,5,100\n")
    assert said in _error(path, ReadingConfig(columns=columns))


@pytest.mark.parametrize(
    ("line", "refused"),
    [
        ("2009-12-14,u,i", True),
        ("14/12/2009 02:52,u,i", True),
        ("1262304000,u,i", True),
        ("1262304000000,u,i", True),
        ("1262304000,u,i,5,2009-12-14", False),  # The time is elsewhere.
        ("7,u", False),
    ],
)
def test_a_time_in_the_first_column_is_not_taken_for_a_user(tmp_path, line, refused):
    path = _file(tmp_path, f"{line}\n{line}\n")
    if refused:
        assert "looks like a time, where a user is expected" in _error(path)
        assert len(_rows(path, ReadingConfig(columns={"user": 0, "item": 1}))) == 2
    else:
        reading.find_layout(path, ReadingConfig())


def test_null_leaves_a_column_out(tmp_path):
    path = _file(tmp_path, HEADER + "1,10,none,100\n")
    assert _rows(path, ReadingConfig(columns={"rating": None})) == [("1", "10", 100.0)]
    path = _file(tmp_path, "1,10,5,100\n")
    config = ReadingConfig(columns={"rating": None, "timestamp": None})
    assert _rows(path, config) == [("1", "10", 0.0)]


def test_decimal_commas_and_forms_of_dates(tmp_path):
    path = _file(
        tmp_path, "user;item;rating;date\n1;10;5,0;14.12.2009\n2;20;1.004;15.12.2009\n"
    )
    config = ReadingConfig(decimal=",", timestamp_format="%d.%m.%Y")
    assert _rows(path, config) == [
        ("1", "10", 1260748800.0, 5.0),
        ("2", "20", 1260835200.0, 1004.0),
    ]


def test_a_rating_too_large_for_its_type_is_none(tmp_path):
    path = _file(tmp_path, HEADER + "1,10,5,100\n1,20,1e39,100\n")
    assert "line 3, column 'rating' (column 3): must be a finite" in _error(path)


def test_a_line_without_end_takes_neither_time_nor_memory(tmp_path):
    endless = gzip.compress(b"x" * (64 << 20))
    path = tmp_path / "r.csv.gz"
    path.write_bytes(endless)
    assert "line 1: a line must end within" in _error(str(path))
    path.write_bytes(gzip.compress(HEADER.encode() + b"1,2,3,4\n") + endless)
    assert "line 3: a line must end within" in _error(str(path))


def test_long_values_are_not_printed_whole(tmp_path):
    long = "x" * 200_000
    for content in (f"{long},item\n1,2\n", f"user,{long}\n1,2\n", f"{long}\n"):
        assert len(_error(_file(tmp_path, content))) < 1000


def test_what_is_no_regular_file_is_refused(tmp_path):
    _file(tmp_path, HEADER + "1,10,5,100\n", "a.csv")
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
    assert "'user'] stand there more than once" in _error(path)


def test_an_id_of_two_lines_is_refused(tmp_path):
    path = str(tmp_path / "r.parquet")
    parquet.write_table(pa.table({"user": ["a", "b"], "item": ["1", "2\n3"]}), path)
    assert "row 2, column 'item' (column 2): must be one line of text" in _error(path)


def test_min_rating_needs_ratings(tmp_path):
    path = _file(tmp_path, "user,item\nu,i\n")
    assert "`data.min_rating` needs ratings" in _error(
        path, ReadingConfig(min_rating=4)
    )


def test_truncated_gzip(tmp_path):
    content = HEADER + "".join(f"{i},{i * 7919 % 1009},3,{i}\n" for i in range(9000))
    path = tmp_path / "r.csv.gz"
    path.write_bytes(gzip.compress(content.encode())[:-900])
    for config in (ReadingConfig(), SKIP):
        message = _error(str(path), config)
        assert "must be a complete gzip file" in message
        assert str(path) in message


def test_gzip_that_is_none(tmp_path):
    (tmp_path / "r.csv.gz").write_text(HEADER + "1,10,5,100\n")
    assert "drop `.gz` from its name" in _error(str(tmp_path / "r.csv.gz"))


@pytest.mark.parametrize("content", [b"PAR1 not really", b""])
def test_damaged_parquet(tmp_path, content):
    path = _file(tmp_path, content, "r.parquet")
    assert "must be a complete Parquet file" in _error(path)


def test_parquet_without_rows(tmp_path):
    path = str(tmp_path / "r.parquet")
    parquet.write_table(pa.table({"user": ["a"], "item": ["b"]}).slice(0, 0), path)
    assert "must hold interactions" in _error(path)


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
    assert said in _error(path)


def test_check_input_reads_no_more_than_the_first_block(tmp_path):
    good = "1,10,5,100\n" * 200_000  # 2 MB, and the first block is 1 MB
    path = _file(tmp_path, HEADER + good + "1,10,x,100\n")
    found = reading.check_input(path, ReadingConfig())
    assert (found.delimiter, found.columns()["user"]) == (",", "userId")
    assert "line 200002" in _error(path)


def test_check_input_of_a_folder(tmp_path):
    with pytest.raises(ValueError, match="there is none"):
        reading.check_input(str(tmp_path), ReadingConfig())
    _file(tmp_path, "", "_SUCCESS")
    _file(tmp_path, "", "a.csv")
    _file(tmp_path, HEADER + "1,10,5,100\n", "b.csv")
    with pytest.raises(ValueError, match=r"a\.csv: must hold interactions"):
        reading.check_input(str(tmp_path), ReadingConfig())
    assert reading.check_input(str(tmp_path), SKIP).has_header


def test_float_ratings_keep_their_value(tmp_path):
    (block,) = reading.read_blocks(_file(tmp_path, HEADER + "1,1,3.7,1\n"), SKIP)
    assert block.rows.column("rating").to_numpy()[0] == np.float32(3.7)


# What may stand in an id: anything but a line's end, a zero byte, or nothing visible.
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
    assert _rows(str(path), config) == [(u, i, float(t)) for u, i, t in rows]


PIECES = [
    *(b"user,item\n", b"1,2\n", b'"', b",", b"\n", b"\r", b"\0", b"\xff", b"::"),
    *(b"u;i;4,5;1/2/2009\n", b"{", b'{"user": 1, "item": 2}\n'),
]


def _read_or_refused(path, config):
    """Returns the blocks, or the message of the refusal."""
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
    path = _file(tmp_path, b"user,item\n1,2\n\x80\n\xff,3\n")
    assert "line 3: a row must have 2 fields" in _error(path)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"wrong_number_of_fields": 1, "not_utf8_user": 1}
