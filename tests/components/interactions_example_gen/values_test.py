import numpy as np
import pyarrow as pa
import pytest

from components.interactions_example_gen import values


def _seconds(column, unit="auto"):
    """Returns times in seconds, with None for values that are refused."""
    if isinstance(column, list):
        column = pa.array(column)
    times, bad = values.parse_times(column, unit)
    return [None if b else t / 1e6 for t, b in zip(times.tolist(), bad, strict=True)]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("978300019", 978300019),
        ("978300019.0", 978300019),
        ("978300019.75", 978300019.75),
        (" 978300019 ", 978300019),
        ("9.78300019e8", 978300019),
        ("0", 0),
        ("99999999999", 99999999999),  # the last that is taken for seconds
        ("100000000000", 100000000),  # the first that is taken for milliseconds
        ("978300019250", 978300019.25),
        ("978300019250000", 978300019.25),
        ("978300019250000000", 978300019.25),
        ("1970-01-02", 86400),
        ("1970-01-02 00:00:01", 86401),
        ("1970-01-02T00:00:01.5", 86401.5),
        ("1970-01-02T00:00:01Z", 86401),
        ("1970-01-02T01:00:01.25+01:00", 86401.25),
        ("1970-01-01T23:00:00-0100", 86400),
        ("-0.5", None),
        ("1969-12-31", None),
        ("9999-12-31T23:59:59Z", 253402300799),
        ("1e300", None),
        ("inf", None),
        ("", None),
        ("01/02/2003", None),
        ("2001-02-29", None),
    ],
)
@pytest.mark.parametrize("beside", ["100", "1970-01-01T00:01:40", "no time"])
def test_time_in_text(text, seconds, beside):
    expected = None if beside == "no time" else 100.0
    assert _seconds([text, beside]) == [seconds, expected]


@pytest.mark.parametrize(
    ("unit", "seconds"),
    [("s", 2e10), ("ms", 2e7), ("us", 2e4), ("ns", 20)],
)
def test_unit_can_be_given(unit, seconds):
    assert _seconds(["20000000000", "20000000000.0"], unit) == [seconds] * 2


def test_whole_numbers_are_exact():
    # A float64 rounds whole numbers above 2 ** 53.
    times, _ = values.parse_times(pa.array([9007199254740993]), "us")
    assert times.tolist() == [9007199254740993]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([100], pa.timestamp("s")),
        pa.array([100_000_000_999], pa.timestamp("ns")),
        pa.array([100_000], pa.timestamp("ms", tz="Europe/Paris")),
        pa.array([100], pa.int32()),
        pa.array([100], pa.uint64()),
        pa.array([100.0], pa.float32()),
        pa.array([b"100"]),
        pa.array(["100"], pa.large_string()),
        pa.array(["100"]).dictionary_encode(),
    ],
)
def test_time_of_parquet(column):
    times, bad = values.parse_times(column, "auto")
    assert (times.tolist(), bad.tolist()) == ([100_000_000], [False])


def test_dates_and_nulls_of_parquet():
    assert _seconds(pa.array([1, None], pa.date32())) == [86400, None]
    assert _seconds(pa.array([1.0, None])) == [1, None]
    assert _seconds(pa.array([None, None])) == [None, None]


def test_ratings():
    column = pa.array(["5", " 3.5 ", "-1", "1e1", "", "nan", "five", "1,5"])
    numbers, bad = values.parse_ratings(column)
    assert numbers[:4].tolist() == [5, 3.5, -1, 10]
    assert bad.tolist() == [False] * 4 + [True] * 4


def test_many_bad_values_among_good_ones():
    column = ["1" if i % 3 else "x" for i in range(3000)]
    numbers, bad = values.parse_ratings(pa.array(column))
    assert bad.sum() == 1000
    assert np.nansum(numbers) == 2000


def test_ids():
    column = pa.array([b"a b", b"", b" ", b"\xff", "é".encode(), b"\xc2\xa0", None])
    ids, masks = values.parse_ids(column)
    assert masks["not_utf8"].nonzero()[0].tolist() == [3]
    assert masks["blank"].nonzero()[0].tolist() == [1, 2, 5, 6]
    assert [ids[0].as_py(), ids[4].as_py()] == ["a b", "é"]


def test_integer_ids():
    ids, masks = values.parse_ids(pa.array([2**63, 0, None], pa.uint64()))
    assert ids.to_pylist() == ["9223372036854775808", "0", None]
    assert masks["blank"].tolist() == [False, False, True]


def _formatted(texts, form, decimal="."):
    column = pa.array([text.encode() for text in texts])
    times, bad = values.parse_times(column, "auto", form, decimal)
    return [None if b else t / 1e6 for t, b in zip(times.tolist(), bad, strict=True)]


@pytest.mark.parametrize(
    ("form", "text", "seconds"),
    [
        ("%d/%m/%Y %H:%M", "14/12/2009 02:52", 1260759120),
        ("%d/%m/%Y %H:%M", " 14/12/2009 02:52 ", 1260759120),
        ("%m/%d/%Y %I:%M %p", "12/14/2009 2:52 a.m.", 1260759120),
        ("%m/%d/%Y %I:%M %p", "12/14/2009 2:52 PM", 1260802320),
        ("%d.%m.%Y", "14.12.2009", 1260748800),
        ("%Y%m%d", "20091214", 1260748800),
        ("%d.%m.%Y %H:%M:%S.%f", "14.12.2009 00:00:01.250", 1260748801),
        ("%d.%m.%Y", "29.02.2008", 1204243200),
        ("%d.%m.%Y", "29.02.2009", None),
        ("%d.%m.%Y", "31.02.2009", None),
        ("%d.%m.%Y", "14.12.2009 and more", None),
        ("%d.%m.%Y", "14.12.1969", None),
        ("%d.%m.%Y", "", None),
        ("excel", "40161", 1260748800),
        ("excel", "40161.5", 1260792000),
        ("excel", "soon", None),
    ],
)
def test_forms_of_dates(form, text, seconds):
    assert _formatted([text], form) == [seconds]


def test_numbers_with_a_comma():
    assert _formatted(["40161,5", "1.260.748"], "excel", ",")[0] == 1260792000
    assert _formatted(["1260748800,5"], "auto", ",") == [1260748800.5]
    texts = [b"4,5", b"1.234,5", "1\u00a0000".encode(), b"1e39", b"4;5"]
    ratings, bad = values.parse_ratings(pa.array(texts), ",")
    assert ratings[:3].tolist() == [4.5, 1234.5, 1000.0]
    assert bad.tolist() == [False, False, False, True, True]
