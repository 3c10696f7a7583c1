"""Spans by number and by date: missing, empty, late and delivered twice."""

import datetime

import pytest

from components.interactions_example_gen import files, span_marks, spans
from components.interactions_example_gen.config import ReadingConfig, SpansConfig

HEADER = "user,item,timestamp\n"


def _write(root, days):
    """Writes files, given as name -> rows, such as {"span-1/a.csv": "u,i,1"}."""
    for name, rows in days.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(HEADER + rows)


def _window(root, pattern="span-{SPAN}/*", *, newest=None, today=None, **settings):
    base, marks = span_marks.split(f"{root}/{pattern}")
    return spans.window(
        base,
        marks,
        SpansConfig(**settings),
        ReadingConfig(),
        newest=newest,
        today=today,
    )


@pytest.mark.parametrize(
    ("path", "base", "pattern"),
    [
        ("d/span-{SPAN}/*", "d", "span-{SPAN}/*"),
        ("d/{SPAN:03}", "d", "{SPAN:03}/*"),
        ("{SPAN}.csv", ".", "{SPAN}.csv"),
        (
            "gs://b/{YYYY}-{MM}-{DD}/v{VERSION}",
            "gs://b",
            "{YYYY}-{MM}-{DD}/v{VERSION}/*",
        ),
    ],
)
def test_a_path_is_split_before_the_first_mark(path, base, pattern):
    assert span_marks.split(path) == (base, pattern)


@pytest.mark.parametrize(
    "path", ["d/{VERSION}/a.csv", "{SPAN}/{SPAN}.csv", "{YYYY}-{MM}.csv", "{SPAN}{DD}"]
)
def test_marks_that_name_no_span(path):
    with pytest.raises(ValueError, match="each once"):
        span_marks.split(path)


def test_all_spans_or_the_last_ones_in_the_order_of_numbers(tmp_path):
    _write(tmp_path, {f"span-{n}/a.csv": f"u,i{n},{n}\n" for n in (9, 10, 11)})
    (tmp_path / "span-latest").mkdir()
    (tmp_path / "span-latest" / "a.csv").write_text(HEADER)
    (tmp_path / "span-11" / "_SUCCESS").touch()
    found = _window(tmp_path)
    assert [span.number for span in found.spans] == [9, 10, 11]
    pattern = found.pattern(str(tmp_path))
    assert pattern == "span-9/a.csv\nspan-10/a.csv\nspan-11/a.csv"
    assert files.find(str(tmp_path), pattern) == found.paths
    assert [span.number for span in _window(tmp_path, last=2).spans] == [10, 11]
    assert [span.number for span in _window(tmp_path, newest=10).spans] == [9, 10]
    with pytest.raises(ValueError, match=r"a file of span 12 at .*there is none"):
        _window(tmp_path, newest=12)


def test_days_by_date_in_their_highest_version(tmp_path):
    _write(
        tmp_path,
        {
            "2024-02-29.v1.csv": "u,wrong,1\n",
            "2024-02-29.v10.csv": "u,right,1\n",
            "2024-02-29.v9.csv": "u,wrong,1\n",
            "2024-03-01.v1.csv": "u,i,2\n",
        },
    )
    found = _window(tmp_path, "{YYYY}-{MM}-{DD}.v{VERSION}.csv")
    assert [(span.number, span.version) for span in found.spans] == [
        (19782, 10),
        (19783, 1),
    ]
    assert found.note() == {
        "first": "2024-02-29",
        "last": "2024-03-01",
        "read": 2,
        "missing": [],
        "empty": [],
        "delivered_twice": [],
    }


def test_a_date_that_is_none(tmp_path):
    _write(tmp_path, {"2024-02-30.csv": "u,i,1\n"})
    with pytest.raises(ValueError, match=r"date in .*2024-02-30.csv must be one of"):
        _window(tmp_path, "{YYYY}-{MM}-{DD}.csv")


def test_a_missing_day_stops_or_is_skipped_and_read_when_it_comes_late(tmp_path):
    _write(tmp_path, {f"span-{n}/a.csv": f"u,i{n},{n}\n" for n in (1, 4)})
    with pytest.raises(ValueError, match="Span 2, 3 is missing"):
        _window(tmp_path)
    found = _window(tmp_path, missing="skip")
    assert found.note()["missing"] == ["2", "3"]
    assert found.missing == (2, 3)
    # Spans before the window do not count as missing.
    assert _window(tmp_path, last=1).missing == ()
    _write(tmp_path, {"span-2/a.csv": "u,i2,2\n", "span-3/a.csv": "u,i3,3\n"})
    assert [span.number for span in _window(tmp_path).spans] == [1, 2, 3, 4]


@pytest.mark.parametrize("content", ["", HEADER, "\n\n"])
def test_an_empty_day_stops_or_is_skipped(tmp_path, content):
    _write(tmp_path, {"span-1/a.csv": "u,i,1\n"})
    (tmp_path / "span-2").mkdir()
    (tmp_path / "span-2" / "a.csv").write_text(content)
    with pytest.raises(ValueError, match="Span 2 is empty: no file of it has a row"):
        _window(tmp_path)
    found = _window(tmp_path, empty="skip")
    assert [span.number for span in found.spans] == [1]
    assert found.empty == (2,)


def test_a_day_delivered_twice_is_read_once(tmp_path):
    _write(
        tmp_path,
        {
            "span-1/a.csv": "u,i,1\n",
            "span-2/a.csv": "u,j,2\n",
            "span-3/b.csv": "u,i,1\n",
        },
    )
    found = _window(tmp_path)
    assert [path[-12:] for path in found.paths] == ["span-1/a.csv", "span-2/a.csv"]
    assert found.note()["delivered_twice"] == ["b.csv"]
    with pytest.raises(ValueError, match=r"span-3/b.csv has the content of .*1/a.csv"):
        _window(tmp_path, twice="error")


def test_a_late_delivery_stops_the_run(tmp_path):
    _write(tmp_path, {"20240229.csv": "u,i,1\n"})
    pattern, today = "{YYYY}{MM}{DD}.csv", datetime.date(2024, 3, 2)
    assert _window(tmp_path, pattern, today=today, max_age_days=2).dates
    with pytest.raises(ValueError, match="it is 2024-02-29, 2 days before today"):
        _window(tmp_path, pattern, today=today, max_age_days=1)
    _write(tmp_path, {"span-1/a.csv": "u,i,1\n"})
    with pytest.raises(ValueError, match=r"`data.spans.max_age_days` needs dates"):
        _window(tmp_path, max_age_days=1)


def test_no_span_at_all(tmp_path):
    with pytest.raises(ValueError, match="There must be a file of a span or day at"):
        _window(tmp_path)
