"""How a file of interactions is understood, with figures counted by hand."""

import json

import pyarrow as pa
import pytest
from pyarrow import parquet

from components.interactions_example_gen import faults, overview
from components.interactions_example_gen.config import ReadingConfig

SHOP = """Invoice;StockCode;Quantity;InvoiceDate;Customer ID
1;A;2;14/12/2009 02:52;u1
1;B;1;14/12/2009 02:52;u1
2;A;-1;15/12/2009 09:00;u2
2;A;1;15/12/2009 09:00;u2
3;C;1;02/01/2010 10:30;
"""
DAY_FIRST = {"timestamp_format": "%d/%m/%Y %H:%M"}


def _survey(tmp_path, content, *, name="r.csv", at_most=float("inf"), **config):
    path = tmp_path / name
    path.write_text(content)
    return overview.survey(str(path), ReadingConfig(**config), at_most=at_most)


def test_a_shops_invoices(tmp_path):
    found = _survey(tmp_path, SHOP, bad_rows="skip", **DAY_FIRST)
    assert found.found.columns() == {
        "user": "Customer ID",
        "item": "StockCode",
        "timestamp": "InvoiceDate",
    }
    assert found.found.unused() == ["Invoice", "Quantity"]
    assert (found.rows, found.users, found.items) == (5, 2, 2)
    assert found.repeats == 1
    assert found.skipped == {"blank_user": 1}
    assert found.first == 1260759120  # 2009-12-14 02:52 UTC
    assert found.last == 1260867600
    assert found.samples[0]["user"] == "u1"
    assert found.samples[0]["unused Invoice"] == "1"
    [note] = found.notes
    assert "'Quantity' is negative in 1 of the first 5 rows" in note
    assert "`data.min_rating: 1`" in note


def test_of_columns_of_one_name_the_one_that_is_read_is_shown(tmp_path):
    content = "user,item,item\nu,a,b\n"
    for place, value in ((1, "a"), (2, "b")):
        found = _survey(tmp_path, content, columns={"item": place})
        assert found.samples[0]["item"] == value


def test_who_skips_bad_rows_is_not_advised_to(tmp_path):
    with pytest.raises(ValueError, match="a row that can be read") as refused:
        _survey(tmp_path, "user,item,time\nu,,1\nv,a,x\n", bad_rows="skip")
    assert "line 2, column 'item'" in str(refused.value)
    assert "data.bad_rows" not in str(refused.value)


def test_cancellations_are_not_asked_about_again(tmp_path):
    columns = {"rating": "Quantity"}
    settings = {"bad_rows": "skip", "min_rating": 1, **DAY_FIRST}
    found = _survey(tmp_path, SHOP, columns=columns, **settings)
    assert found.notes == []
    # The cancelled purchase is left out, so the row after it is no repeat.
    assert (found.rows, found.below, found.repeats) == (5, 1, 0)


def test_no_time_is_said_loudly_and_what_looks_like_one(tmp_path):
    found = _survey(
        tmp_path, "user,item,seen_on,note\nu,a,2009-12-14,x\nv,b,2009-12-15,y\n"
    )
    assert found.first is None
    assert found.notes[0].startswith("NO TIME: the order of the rows stands for it")
    assert (
        "'seen_on' looks like a time: `data.columns.timestamp: seen_on`"
        in (found.notes[1])
    )
    assert found.time_columns == ["seen_on"]


def test_rows_sorted_by_item_have_hardly_the_order_of_time(tmp_path):
    by_item = "user,item\n" + "".join(f"u{u},i{i}\n" for i in "abc" for u in range(4))
    assert any("sorted by item" in n for n in _survey(tmp_path, by_item).notes)
    by_user = "user,item\n" + "".join(f"u{u},i{i}\n" for u in range(4) for i in "abc")
    assert not any("sorted by item" in n for n in _survey(tmp_path, by_user).notes)


@pytest.mark.parametrize(
    ("times", "form"),
    [(("20091214", "20091215"), "%Y%m%d"), (("40161.12", "40162"), "excel")],
)
def test_numbers_that_would_be_1970_are_questioned(tmp_path, times, form):
    content = "user,item,time\n" + "".join(f"u,i{t},{t}\n" for t in times)
    [note] = _survey(tmp_path, content).notes
    assert "would be in 1970" in note
    assert f"`data.timestamp_format: '{form}'`" in note
    found = _survey(tmp_path, content, timestamp_format=form)
    assert found.notes == []
    assert found.first // 86_400 == 14_592  # days from 1970 to 2009-12-14


def test_of_much_data_the_first_block_alone_is_read(tmp_path):
    content = "user,item,time\n" + "u,i,1262304000\n" * 10
    assert _survey(tmp_path, content, at_most=len(content)).complete
    assert not _survey(tmp_path, content, at_most=len(content) - 1).complete


def test_a_bad_row_at_the_end_is_found(tmp_path):
    content = "user,item,time\n" + "u,i,1262304000\n" * 1_200_000 + ",i,1\n"
    with pytest.raises(ValueError, match=r"line 1200002, .*must not be blank"):
        _survey(tmp_path, content)


@pytest.mark.parametrize("bad_rows", ["error", "skip"])
@pytest.mark.parametrize(
    ("column", "values", "said", "suggests"),
    [
        ("time", ("14/12/2009 02:52", "1/2/2010 3:04"), "%d/%m/%Y %H:%M", True),
        ("time", ("1/2/2009", "3/4/2009"), "do not tell which", False),
        ("time", ("14.12.2009", "15.12.2009"), "%d.%m.%Y", True),
        ("time", ("12/14/2009 2:52 p.m.", "12/15/2009 1:00 a.m."), "%I:%M %p", True),
        ("time", ("noon", "midnight"), "data.columns.timestamp: null", False),
        ("rating", ("4,5", "3,0"), "data.decimal", True),
        ("rating", ("good", "bad"), "data.columns.rating: null", False),
        ("user", ("", ""), "Is this the right column", False),
    ],
)
def test_where_every_row_fails_for_one_reason_the_option_is_named(
    tmp_path, bad_rows, column, values, said, suggests
):
    rows = [{"user": "u", "item": "i", "rating": "1", "time": "1262304000"}] * 2
    rows = [row | {column: value} for row, value in zip(rows, values, strict=True)]
    lines = [rows[0].keys(), *(row.values() for row in rows)]
    content = "".join(";".join(line) + "\n" for line in lines)
    with pytest.raises(faults.SettingError, match="in every row looked at") as refused:
        _survey(tmp_path, content, bad_rows=bad_rows)
    assert said in str(refused.value)
    assert "bad_rows" not in str(refused.value)
    assert bool(refused.value.suggests) == suggests
    if suggests:
        _survey(tmp_path, content, **refused.value.suggests)


def test_parquet_and_json_lines(tmp_path):
    table = pa.table({"uid": [1, 2], "sku": ["a", "b"], "x": [None, 1.5]})
    parquet.write_table(table, tmp_path / "r.parquet")
    found = overview.survey(str(tmp_path / "r.parquet"), ReadingConfig())
    assert (found.users, found.found.unused()) == (2, ["x"])
    assert found.samples[0] == {"user": "1", "item": "a", "unused x": ""}
    lines = [{"reviewerID": "u", "asin": "a", "overall": 4.0, "unixReviewTime": 1e9}]
    text = "".join(json.dumps(line) + "\n" for line in lines)
    found = _survey(tmp_path, text, name="r.jsonl")
    assert list(found.found.columns()) == ["user", "item", "rating", "timestamp"]
    assert found.last == 1_000_000_000
