"""The marks of spans in a path: `{SPAN}`, `{YYYY}`, `{MM}`, `{DD}`, `{VERSION}`.

The marks are those of TFX. A span is a number; that of a date is the days since 1970.
This module needs the standard library alone.
"""

import datetime
import glob
import os
import re
from collections.abc import Mapping
from typing import NamedTuple

from components.interactions_example_gen import files

EPOCH = datetime.date(1970, 1, 1)
_DATE = ("YYYY", "MM", "DD")
_MARK = re.compile(r"\{(SPAN|VERSION|YYYY|MM|DD)(?::(\d+))?\}")
_DIGITS = {"YYYY": "4", "MM": "2", "DD": "2"}


class Span(NamedTuple):
    """One delivery: its number, its highest version, and the files of that version."""

    number: int
    version: int | None
    paths: tuple[str, ...]


def name(number: int, *, dates: bool) -> str:
    """Returns the name of a span: a date, or the number.

    Example:
        >>> name(19753, dates=True), name(7, dates=False)
        ('2024-01-31', '7')
    """
    return str(EPOCH + datetime.timedelta(number)) if dates else str(number)


def has_marks(path: str) -> bool:
    """Returns whether a path has marks of spans."""
    return _MARK.search(path) is not None


def split(path: str) -> tuple[str, str]:
    """Returns the folder before the first mark, and the pattern from there on.

    Raises:
        ValueError: the marks do not make up a span, or the folder has one of `*?[`.

    Example:
        >>> split("data/day-{SPAN}"), split("data/{YYYY}/{MM}{DD}.csv")
        (('data', 'day-{SPAN}/*'), ('data', '{YYYY}/{MM}{DD}.csv'))
    """
    marks = [mark for mark, _ in _MARK.findall(path)]
    wanted = sorted(marks) in (
        *(["SPAN"], ["SPAN", "VERSION"]),
        *(sorted(_DATE), sorted((*_DATE, "VERSION"))),
    )
    if not wanted:
        raise ValueError(
            "A path of spans must have {SPAN}, or {YYYY}, {MM} and {DD}, each once, "
            f"and perhaps {{VERSION}}; got {path!r}."
        )
    head = path[: _MARK.search(path).start()]  # type: ignore[union-attr]
    base, _ = os.path.split(head)
    pattern = path[len(base) :].lstrip("/")
    if glob.has_magic(base):
        raise ValueError(
            f"The folder before the marks must have none of `*?[`; got {base!r}."
        )
    last = os.path.basename(pattern)
    is_file = glob.has_magic(last) or files.is_interactions_file(last)
    return base or os.curdir, pattern if is_file else os.path.join(pattern, "*")


def find(base: str, pattern: str) -> list[Span]:
    """Returns the spans that have files, the oldest first, in their highest version.

    Files without a number in the place of a mark, and files of a kind that is not read,
    do not count.
    """
    expression = re.compile(os.path.join(re.escape(base), _as_expression(pattern)))
    found: dict[int, dict[int | None, list[str]]] = {}
    for path in files.matching(base, _MARK.sub("*", pattern)):
        match = expression.fullmatch(path)
        if match is None or not files.is_interactions_file(path):
            continue
        number = _number(match.groupdict(), path)
        text = match.groupdict().get("VERSION")
        version = None if text is None else int(text)
        found.setdefault(number, {}).setdefault(version, []).append(path)
    latest = {
        number: max(versions, key=lambda version: -1 if version is None else version)
        for number, versions in found.items()
    }
    return [
        Span(number, version, tuple(found[number][version]))
        for number, version in sorted(latest.items())
    ]


def _as_expression(pattern: str) -> str:
    """Returns a regular expression of the paths that match a pattern."""
    parts, at = [], 0
    for mark in _MARK.finditer(pattern):
        width = mark[2] or _DIGITS.get(mark[1])
        digits = rf"\d{{{width}}}" if width else r"\d+"
        parts += [_plain(pattern[at : mark.start()]), f"(?P<{mark[1]}>{digits})"]
        at = mark.end()
    return "".join([*parts, _plain(pattern[at:])])


def _plain(text: str) -> str:
    signs = {"*": "[^/]*", "?": "[^/]"}
    return "".join(signs.get(sign, re.escape(sign)) for sign in text)


def _number(values: Mapping[str, str], path: str) -> int:
    if "SPAN" in values:
        return int(values["SPAN"])
    try:
        day = datetime.date(*(int(values[mark]) for mark in _DATE))
    except ValueError:
        raise ValueError(
            f"The date in {path} must be one of the calendar. Rename the file or "
            "folder."
        ) from None
    return (day - EPOCH).days
