"""Files in every supported form: the rows that are read, and the faulty ones."""

import bz2
import lzma
import zipfile

import pyarrow as pa
import pytest
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
    assert read_rows(write(tmp_path, content, name)) == TWO


def test_a_byte_order_mark_in_the_middle_is_a_part_of_an_id(tmp_path):
    marked = "user,item\n\ufeff1,10\n\ufeff2,20\n1,30\n"
    path = write(tmp_path, marked, "r.csv")
    whole = read_rows(path)
    assert [row[0] for row in whole] == ["\ufeff1", "\ufeff2", "1"]
    assert read_rows(path, block_bytes=12) == whole


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
    assert read_rows(str(path)) == TWO
    path.write_bytes(PACK[extension](content)[:-5])
    assert f"complete {extension[1:]} file" in refusal(str(path))


def test_a_zip_with_one_file_of_interactions(tmp_path):
    path = tmp_path / "r.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("data/README", "about it")
        archive.writestr("data/sales.csv", HEADER + "1,10,5,100\n2,20,4.0,200\n")
    assert read_rows(str(path)) == TWO
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/more.csv", HEADER)
    message = refusal(str(path))
    assert "must hold one file of interactions" in message
    assert "'data/more.csv'" in message


def test_json_lines(tmp_path):
    lines = '{"user": "1", "item": "10", "time": 100, "rating": 5, "x": [1]}\n\n'
    lines += '{"rating": 4.0, "time": 200, "item": "20", "user": "2"}\n'
    assert read_rows(write(tmp_path, lines, "r.jsonl")) == TWO
    assert read_rows(write(tmp_path, lines, "r.ndjson.gz")) == TWO
    path = write(tmp_path, lines + '{"user": "3", "time": 1, "rating": 1}\n', "r.jsonl")
    assert "row 4, column 'item'" in refusal(path)


def test_objects_within_json_lines(tmp_path):
    lines = (
        '{"user": {"id": "1"}, "item": {"sku": "b", "price": 2}, "time": 5}\n'
        '{"user": {"id": "1"}, "item": {"sku": "a", "price": 3}, "time": 4}\n'
        '{"user": null, "item": {"sku": "a"}, "time": 4}\n'
    )
    path = write(tmp_path, lines, "r.jsonl")
    assert "['user.id', 'item.sku', 'item.price', 'time'" in refusal(path)
    settings = {"columns": {"item": "item.sku"}}
    assert "row 3, column 'user.id'" in refusal(path, ReadingConfig(**settings))
    rows = read_rows(path, ReadingConfig(**settings, bad_rows="skip"))
    assert [tuple(row[:2]) for row in rows] == [("1", "b"), ("1", "a")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[1]\n", "line 1: must be a JSON object; got [1]"),
        ('{"user": 1\n', "line 1: must be a JSON object; Expecting"),
        ('{"user": "a", "item": "b"}\n' * 60 + "{\n", "one JSON object per line"),
    ],
)
def test_json_lines_that_are_none(tmp_path, content, said):
    assert said in refusal(write(tmp_path, content, "r.jsonl"))


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
    assert read_rows(path) == TWO


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
    rows = read_rows(write(tmp_path, content))
    assert [row[0] for row in rows] == ids
    assert [row[1] for row in rows] == ids


def test_quotes_belong_to_the_value_where_a_form_does_not_quote(tmp_path):
    rows = read_rows(write(tmp_path, '"a::b"::5::100\nc::d"::5::100\n', "r.dat"))
    assert [row[:2] for row in rows] == [('"a', 'b"'), ("c", 'd"')]


def test_without_ratings_or_times(tmp_path):
    assert read_rows(write(tmp_path, "user,item\nu,i\n")) == [("u", "i", 0.0)]


@pytest.mark.parametrize(
    ("third", "expected"),
    [("3.5", ("u", "i", 0.0, 3.5)), ("978300019", ("u", "i", 978300019.0))],
)
def test_third_of_three_columns_is_a_rating_or_a_time(tmp_path, third, expected):
    assert read_rows(write(tmp_path, f"u,i,{third}\n")) == [expected]


def test_columns_by_position_and_by_name(tmp_path):
    path = write(tmp_path, "x,100,u,i\n")
    by_position = ReadingConfig(columns={"user": 2, "item": 3, "timestamp": 1})
    assert read_rows(path, by_position) == [("u", "i", 100.0)]
    path = write(tmp_path, "who,what,when\nu,i,100\n")
    by_name = ReadingConfig(
        columns={"user": "who", "item": "what", "timestamp": "when"}
    )
    assert read_rows(path, by_name) == [("u", "i", 100.0)]


@pytest.mark.parametrize("block_bytes", [1, 7, 64, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\n\n"])
def test_block_size_makes_no_difference(tmp_path, block_bytes, end, monkeypatch):
    monkeypatch.setattr(reading.files, "_READ_BYTES", 5)
    content = HEADER + "".join(f"{i},{i * 7},{i % 5},{i}\n" for i in range(50))
    content = content.replace("\n", end).removesuffix(end)
    expected = [(str(i), str(i * 7), float(i), float(i % 5)) for i in range(50)]
    assert read_rows(write(tmp_path, content), block_bytes=block_bytes) == expected


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


@pytest.mark.parametrize(("line", "role"), [("1\0,2", "user"), ("1,\x002", "item")])
def test_a_zero_byte_far_from_the_beginning(tmp_path, monkeypatch, line, role):
    monkeypatch.setattr(reading.files, "_READ_BYTES", 7)
    path = write(tmp_path, f"user,item\n3,4\n{line}\n")
    message = refusal(path)
    assert "line 3" in message
    assert "must be one line of text without zero bytes" in message
    blocks = list(reading.read_blocks(path, SKIP))
    assert sum(len(b.rows) for b in blocks) == 1
    assert sum((b.skipped for b in blocks), start=reading.Counter()) == {
        f"line_end_{role}": 1
    }


@pytest.mark.parametrize(("line", "kind", "said"), BAD_LINES)
@pytest.mark.parametrize(("piece", "end"), [(1, b"\r\n"), (7, b"\n"), (1 << 20, b"\n")])
def test_bad_row(tmp_path, monkeypatch, line, kind, said, piece, end):
    monkeypatch.setattr(reading.files, "_READ_BYTES", piece)
    bad = line if isinstance(line, bytes) else line.encode()
    # The blank line before the bad one is counted as a line, but is no row.
    content = HEADER.encode() + b"\n1,10,5,100\n\n" + bad + b"\n2,20,4,200\n"
    path = write(tmp_path, content.replace(b"\n", end))

    message = refusal(path)
    assert "r.csv, line 5" in message
    assert said in message
    assert "set `data.bad_rows: skip`" in message

    blocks = list(reading.read_blocks(path, SKIP, block_bytes=piece))
    assert len(blocks) == 1 if piece > 100 else len(blocks) > 1
    assert sum(b.rows_read for b in blocks) == 3
    assert sum((b.skipped for b in blocks), start=reading.Counter()) == {kind: 1}
    assert [bad.line for b in blocks for bad in b.bad_rows] == [5]
    assert read_rows(path, SKIP) == TWO


def test_a_row_with_several_faults_counts_once(tmp_path):
    path = write(tmp_path, HEADER + ",,x,y\n1,10,5\n1,10,5,100\n\n1,10,x,y\n")
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
    path = write(tmp_path, HEADER + "1,10,5,100\n1,10,5,soon\n1,10\n,10,5,100\n")
    assert "line 3" in refusal(path)


def test_only_the_first_bad_rows_are_kept(tmp_path):
    path = write(tmp_path, HEADER + "1,10,5,100\n" + "1,10,x,1\n" * 30)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"bad_rating": 30}
    assert [bad.line for bad in block.bad_rows] == list(range(3, 13))


def test_bad_rows_of_parquet_are_told_by_row(tmp_path):
    path = str(tmp_path / "r.parquet")
    columns = {"user": ["a", None, "c"], "item": [1, 2, 3], "rating": [1.0, 2.0, None]}
    parquet.write_table(pa.table(columns), path)
    assert "r.parquet, row 2, column 'user'" in refusal(path)
    (block,) = reading.read_blocks(path, SKIP)
    assert block.skipped == {"blank_user": 1, "bad_rating": 1}
    assert [bad.line for bad in block.bad_rows] == [2, 3]
    assert block.rows.to_pydict()["user"] == ["a"]
