"""Turns columns of text (or of Parquet's types) into ids, times and ratings.

Whole columns are cast at a time. Only where that fails are the rows of the column
looked at more closely, to find those that cannot be cast.
"""

import contextlib
import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

PER_SECOND = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
# The largest number of each unit, by which `auto` finds the unit of times: 1e11 s is in
# the year 5138, 1e11 ms is in March 1973.
UNIT_LIMITS = {"s": 1e11, "ms": 1e14, "us": 1e17, "ns": np.inf}
_EXCEL_1970 = 25_569  # 1970-01-01 in days since 1899-12-30
LAST_SECOND = 253_402_300_800  # the year 10,000
# A zone counts only after a time of day: `2001-02-03` ends like a zone of -03.
_ZONED = r"^\d{4}-\d\d-\d\d[ T].*(Z|[+-]\d\d(:?\d\d)?)$"


def parse_ids(column: pa.Array) -> tuple[pa.Array, dict[str, np.ndarray]]:
    """Returns ids as a string array, and masks of the rows that break a rule.

    Args:
        column: text as bytes, or a Parquet column of strings or integers. [n]

    Returns:
        `pa.string()` [n], null where a rule is broken, and masks, bool [n]: `not_utf8`,
        `blank` and `line_end`, which a zero byte breaks, too.
    """
    lines = pa.types.is_binary(column.type)  # From text: no line ends.
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    try:
        ids, undecodable = column.cast(pa.string()), np.zeros(len(column), bool)
    except pa.ArrowInvalid:
        ids = cast_or_null(column, pa.string())
        undecodable = _mask(pc.and_(pc.is_valid(column), pc.is_null(ids)))
    blank = pc.or_(pc.equal(pc.binary_length(ids), 0), pc.utf8_is_space(ids))
    masks = {
        "not_utf8": undecodable,
        "blank": _mask(pc.fill_null(blank, True)) & ~undecodable,
    }
    masks["line_end"] = np.zeros(len(ids), bool)
    if not lines or _has_zero_byte(ids):
        ended = pc.match_substring_regex(ids, r"\x00" if lines else r"[\r\n\x00]")
        masks["line_end"] = _mask(pc.fill_null(ended, False))
    return ids, masks


def _has_zero_byte(ids: pa.StringArray) -> bool:
    """Returns whether a byte of the ids may be zero, in little of the search's time."""
    text = np.frombuffer(ids.buffers()[2] or b"", np.uint8)
    return int(text.min(initial=1)) == 0


def parse_ratings(
    column: pa.Array, decimal: str = "."
) -> tuple[np.ndarray, np.ndarray]:
    """Returns ratings, float32 [n], and a mask of those that are not finite."""
    numbers = _to_numpy(_to_float(_with_point(_decoded(column), decimal)))
    with np.errstate(over="ignore"):  # Too large for float32 is infinite.
        ratings = numbers.astype(np.float32)
    return ratings, ~np.isfinite(ratings)


def parse_times(
    column: pa.Array, unit: str, form: str = "auto", decimal: str = "."
) -> tuple[np.ndarray, np.ndarray]:
    """Returns times, and a mask of values that are no times or are before 1970.

    Args:
        column: numbers, ISO 8601 dates, or Parquet's dates and timestamps. [n]
        unit: of numbers, see `ReadingConfig.timestamp_unit`.
        form: of text, see `ReadingConfig.timestamp_format`.
        decimal: the character before the fraction of a number.

    Returns:
        Microseconds since 1970 in UTC, int64 [n], 0 where the mask is True; the mask,
        bool [n].
    """
    column = _decoded(column)
    if pa.types.is_temporal(column.type):
        kind = pa.timestamp("us", tz=_zone(column.type))
        # Not `safe`, so that nanoseconds are rounded to microseconds.
        return _checked_times(column.cast(kind, safe=False).cast(pa.int64()))
    if form == "excel":
        return _excel_days(_with_point(column, decimal))
    if form != "auto":
        return _formatted(column, form)
    column = _with_point(column, decimal)
    numbers = _numbers(column)
    if numbers is None:
        return _parse_mixed_times(column, unit)
    return _checked_times(_scale(numbers, unit))


def cast_or_null(column: pa.Array, to: pa.DataType) -> pa.Array:
    """Casts a column; values that cannot be cast become null.

    A part that fails is halved until single values are left, so that a few bad values
    among many cost little.
    """
    try:
        return column.cast(to)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, to)
        half = len(column) // 2
        return pa.concat_arrays(
            [cast_or_null(column[:half], to), cast_or_null(column[half:], to)]
        )


def _with_point(column: pa.Array, decimal: str) -> pa.Array:
    """Returns numbers in text with a point before the fraction, and no other point."""
    if decimal == "." or not pa.types.is_string(column.type):
        return column
    column = pc.replace_substring_regex(column, r"[.\s'\x{00a0}\x{202f}]", "")
    return pc.replace_substring(column, decimal, ".")


def _excel_days(column: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """Parses a spreadsheet's days since 1899-12-30, rounded to seconds."""
    days = _to_numpy(_to_float(column))
    known = np.isfinite(days) & (np.abs(days) < 1e7)
    seconds = np.rint((np.where(known, days, 0) - _EXCEL_1970) * 86_400)
    times = pa.array((seconds * 1_000_000).astype(np.int64), mask=~known)
    return _checked_times(times)


def _formatted(column: pa.Array, form: str) -> tuple[np.ndarray, np.ndarray]:
    """Parses text, or whole numbers such as 20091214, in strptime's `form`."""
    text = pc.utf8_trim_whitespace(column.cast(pa.string()))
    if form.endswith(".%f"):  # Arrow does not know %f; seconds are enough.
        form = form.removesuffix(".%f")
        text = pc.replace_substring_regex(text, r"[.]\d+$", "")
    if "%p" in form:  # 2:52 p.m. is 2:52 PM
        text = pc.replace_substring_regex(text, r"(?i)\b([ap])\.?\s?m\b\.?", r"\1M")
    times = pc.strptime(text, format=form, unit="us", error_is_null=True)
    return _checked_times(_without_overflow(times, text, form).cast(pa.int64()))


def _without_overflow(times: pa.Array, text: pa.Array, form: str) -> pa.Array:
    """Returns `times` with null for dates such as 31 February, which Arrow accepts."""
    likely = pc.and_(
        pc.less_equal(pc.day(times), 3), pc.match_substring_regex(text, "29|30|31")
    )
    rows = np.flatnonzero(_mask(pc.fill_null(likely, False)))
    wrong = np.zeros(len(text), bool)
    for row in rows.tolist():
        wrong[row] = not _is_date(text[row].as_py(), form)
    return pc.if_else(pa.array(wrong), pa.scalar(None, times.type), times)


def _is_date(text: str, form: str) -> bool:
    try:
        datetime.datetime.strptime(text, form)
    except ValueError:
        return False
    return True


def _mask(array: pa.Array) -> np.ndarray:
    return array.to_numpy(zero_copy_only=False).astype(bool, copy=False)


def _to_numpy(array: pa.Array) -> np.ndarray:
    """Returns float64 [n] with NaN for null."""
    return pc.fill_null(array, float("nan")).to_numpy(zero_copy_only=False)


def _zone(kind: pa.DataType) -> str | None:
    return "UTC" if pa.types.is_timestamp(kind) and kind.tz else None


def _decoded(column: pa.Array) -> pa.Array:
    """Returns text as strings, null where it is no UTF-8; other types unchanged."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_large_string)
    if any(kind(column.type) for kind in kinds):
        column = cast_or_null(column, pa.string())
    return column


def _to_float(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.float64())
    except pa.ArrowInvalid:
        if pa.types.is_string(column.type):
            column = pc.utf8_trim_whitespace(column)
        return cast_or_null(column, pa.float64())


def _numbers(column: pa.Array) -> pa.Array | None:
    """Returns int64 if all values are whole, else float64; None if one is no number."""
    for kind in (pa.int64(), pa.float64()):
        with contextlib.suppress(pa.ArrowInvalid):
            return column.cast(kind)
    return None


def _scale(numbers: pa.Array, unit: str) -> pa.Array:
    """Returns microseconds, int64; null for what is no number, or after 9999."""
    missing = _mask(pc.is_null(numbers))
    values = pc.fill_null(numbers, 0).to_numpy(zero_copy_only=False)
    size = np.abs(values.astype(np.float64))
    missing |= ~np.isfinite(size)
    size = np.where(missing, 0, size)
    result = np.zeros(len(values), np.int64)
    left = ~missing
    for name, limit in UNIT_LIMITS.items():
        if unit not in ("auto", name):
            continue
        now = left & (size < limit) if unit == "auto" else left
        left = left & ~now
        late = now & (size >= LAST_SECOND * PER_SECOND[name])
        missing |= late
        picked = values[now & ~late]
        if name == "ns":
            result[now & ~late] = picked // 1000
        else:  # Whole numbers stay exact; others are rounded down.
            result[now & ~late] = picked * (1_000_000 // PER_SECOND[name]) // 1
    return pa.array(result, mask=missing)


def _parse_mixed_times(column: pa.Array, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Parses text in which some values are dates or mistakes, not numbers."""
    column = pc.utf8_trim_whitespace(column)
    dates = pc.match_substring_regex(column, r"^\d{4}-\d\d-\d\d")
    zoned = pc.match_substring_regex(column, _ZONED)
    plain = pc.and_(dates, pc.invert(zoned))

    def only(mask: pa.Array) -> pa.Array:
        return pc.if_else(mask, column, pa.scalar(None, pa.string()))

    parts = [
        _scale(cast_or_null(only(pc.invert(dates)), pa.float64()), unit),
        cast_or_null(only(plain), pa.timestamp("us")).cast(pa.int64()),
        cast_or_null(only(zoned), pa.timestamp("us", tz="UTC")).cast(pa.int64()),
    ]
    return _checked_times(pc.coalesce(*parts))


def _checked_times(times: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    missing = _mask(pc.is_null(times))
    values = pc.fill_null(times, 0).to_numpy(zero_copy_only=False)
    bad = missing | (values < 0) | (values >= LAST_SECOND * 1_000_000)
    return np.where(bad, 0, values), bad
