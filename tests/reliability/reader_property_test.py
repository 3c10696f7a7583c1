"""Compares the reader with pandas on random valid files, and tries it on any bytes."""

import csv
import gzip
import io

import numpy as np
import pandas as pd
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from components.interactions_example_gen import reading
from components.interactions_example_gen.config import ReadingConfig
from tests.reliability import scale

IDS = st.one_of(
    st.integers(-(2**63), 2**63 - 1).map(str),
    st.text(
        st.characters(exclude_characters="\0\r\n", exclude_categories=["Cs"]),
        min_size=1,
        max_size=12,
    ).filter(lambda text: text.strip()),
)
RATINGS = st.floats(-1e6, 1e6, width=32)
TIMES = st.integers(0, 4_000_000_000)
ROWS = st.lists(st.tuples(IDS, IDS, RATINGS, TIMES), min_size=1, max_size=30)


@st.composite
def files(draw):
    """Draws the rows of a file, the order of its columns, and its format."""
    names = draw(st.permutations(["user", "item", "rating", "timestamp", "note"]))
    frame = pd.DataFrame(draw(ROWS), columns=["user", "item", "rating", "timestamp"])
    frame["note"] = "a, b"
    form = draw(st.sampled_from([",", ";", "\t", "parquet"]))
    end = draw(st.sampled_from(["\n", "\r\n"]))
    packed = draw(st.booleans())
    return frame[list(names)], form, end, packed


def _write(folder, frame, form, end, packed):
    """Writes a file; returns its path and what pandas reads from it."""
    if form == "parquet":
        frame.to_parquet(folder / "r.parquet")
        return folder / "r.parquet", pd.read_parquet(folder / "r.parquet")
    text = frame.to_csv(sep=form, index=False, lineterminator=end).encode()
    path = folder / ("r.csv.gz" if packed else "r.csv")
    path.write_bytes(gzip.compress(text) if packed else text)
    types = {"user": str, "item": str, "note": str}
    parsed = pd.read_csv(
        io.BytesIO(text), sep=form, dtype=types, keep_default_na=False, quotechar='"'
    )
    return path, parsed


@settings(max_examples=scale.of(quick=15, full=3000), deadline=None)
@given(drawn=files(), block_bytes=st.sampled_from([1, 100, 1 << 20]))
def test_reads_what_pandas_reads(tmp_path_factory, drawn, block_bytes):
    frame, form, end, packed = drawn
    folder = tmp_path_factory.mktemp("pandas")
    path, expected = _write(folder, frame, form, end, packed)
    config = ReadingConfig(
        delimiter="auto" if form == "parquet" else form, timestamp_unit="s"
    )
    blocks = reading.read_blocks(str(path), config, block_bytes=block_bytes)
    rows = pa.Table.from_batches([block.rows for block in blocks]).to_pandas()
    assert rows["user"].tolist() == expected["user"].tolist()
    assert rows["item"].tolist() == expected["item"].tolist()
    assert (rows["time"] // 1_000_000).tolist() == expected["timestamp"].tolist()
    wanted = expected["rating"].to_numpy().astype(np.float32)
    np.testing.assert_array_equal(rows["rating"].to_numpy(), wanted)


PIECES = st.one_of(
    st.sampled_from(
        [
            "a",
            "b",
            "é",
            "1",
            ",",
            ",",
            '"',
            '""',
            "\n",
            "\n",
            "\r\n",
            " ",
            "\t",
            ";",
            "::",
        ]
    ).map(str.encode),
    st.binary(max_size=3),
)
CONTENT = st.lists(PIECES, max_size=40).map(b"".join)
NAMES = st.sampled_from(
    [
        *("r.csv", "r.tsv", "r.dat", "r.data", "r.inter", "r.jsonl", "r.parquet"),
        *("r.csv.gz", "r.csv.bz2", "r.csv.xz", "r.csv.zst", "r.zip", "r.jsonl.gz"),
    ]
)


def _rows(path, config):
    """Returns the pairs that are read; None if an error names and refuses the file."""
    said = ""
    try:
        blocks = list(reading.read_blocks(str(path), config))
    except ValueError as refused:
        said = str(refused)
    if said:
        assert path.name in said
        assert len(said) < 3000 + len(str(path))
        return None
    rows = pa.Table.from_batches([block.rows for block in blocks])
    return list(
        zip(*(rows[name].to_pylist() for name in ("user", "item")), strict=True)
    )


@settings(max_examples=scale.of(quick=30, full=5000), deadline=None)
@given(name=NAMES, content=CONTENT, packed=st.booleans())
def test_any_bytes_are_read_or_refused(tmp_path_factory, name, content, packed):
    path = tmp_path_factory.mktemp("bytes") / name
    path.write_bytes(gzip.compress(content) if packed else content)
    _rows(path, ReadingConfig())


@settings(max_examples=scale.of(quick=30, full=5000), deadline=None)
@given(content=CONTENT)
def test_what_is_read_of_any_lines_is_what_is_there(tmp_path_factory, content):
    """The rows are those that Python's csv module reads line by line."""
    path = tmp_path_factory.mktemp("lines") / "r.csv"
    content = b"user,item\n" + content
    path.write_bytes(content)
    config = ReadingConfig(delimiter=",", columns={"user": "user", "item": "item"})
    found = _rows(path, config)
    if found is None:
        return
    assert found == _python_rows(content.decode())


def _python_rows(text):
    """Returns the rows that Python's csv module reads; None if a quote stays open."""
    try:
        list(csv.reader(io.StringIO(text, newline=""), strict=True))
    except csv.Error as error:
        if str(error) == "unexpected end of data":
            return None
    rows = csv.reader(io.StringIO(text, newline=""))
    return [tuple(row) for row in rows if row][1:]
