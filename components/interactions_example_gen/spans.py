"""Decides which days of a rolling input a run reads, and what to do with odd ones."""

import datetime
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from components.interactions_example_gen import files, reading
from components.interactions_example_gen.config import ReadingConfig, SpansConfig
from components.interactions_example_gen.span_marks import EPOCH, Span, find, name

PROPERTY = "spans"  # The Examples' property with the result of `Window.note`.
# Only files up to so many bytes are opened to see whether they have a row.
_PERHAPS_EMPTY = 1 << 16
_NAMED = 10  # A message names so many spans.


class Window(NamedTuple):
    """The spans that a run reads.

    Attributes:
        spans: the spans that are read, the oldest first; each has files.
        dates: whether the numbers of spans are dates.
        missing: numbers between the first and the last span that have no file.
        empty: numbers of spans whose files have no row.
        twice: pairs of paths with the same content; the first of a pair is not read,
            the second is an earlier file.
    """

    spans: tuple[Span, ...]
    dates: bool
    missing: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    twice: tuple[tuple[str, str], ...] = ()

    @property
    def paths(self) -> list[str]:
        """The paths of all files, the oldest span first."""
        return [path for span in self.spans for path in span.paths]

    def name(self, number: int) -> str:
        """Returns the name of a span: 2024-01-31, or a number."""
        return name(number, dates=self.dates)

    def pattern(self, base: str) -> str:
        """Returns a pattern of `files.find` that matches these files of `base`."""
        start = len(base.rstrip("/")) + 1
        return "\n".join(glob.escape(path[start:]) for path in self.paths)

    def note(self) -> dict[str, Any]:
        """Returns which spans are read and which are left out; JSON can hold it."""
        return {
            "first": self.name(self.spans[0].number),
            "last": self.name(self.spans[-1].number),
            "read": len(self.spans),
            "missing": [self.name(number) for number in self.missing],
            "empty": [self.name(number) for number in self.empty],
            "delivered_twice": [os.path.basename(p) for p, _ in self.twice],
        }

    def deliveries(self) -> list[tuple[str, int]]:
        """Returns the name of each span that is read, and how many files it has."""
        return [(self.name(span.number), len(span.paths)) for span in self.spans]


def window(
    base: str,
    pattern: str,
    settings: SpansConfig,
    config: ReadingConfig,
    *,
    newest: int | None = None,
    today: datetime.date | None = None,
) -> Window:
    """Returns the spans that a run reads.

    Args:
        base: the folder before the first mark, as `span_marks.split` returns it.
        pattern: the pattern with marks, as `span_marks.split` returns it.
        settings: which spans to read, and what to do if one is missing, empty or late.
        config: how a file is read, to find out whether it has rows.
        newest: the last span that counts, which must exist; None counts all.
        today: the day from which `max_age_days` counts; None is today, in UTC.

    Raises:
        ValueError: there is no span, or one is missing, empty, too old or delivered
            twice where that is an error.
    """
    spans = find(base, pattern)
    dates = "{SPAN" not in pattern
    if newest is not None:
        spans = [span for span in spans if span.number <= newest]
    if not spans or newest not in (None, spans[-1].number):
        asked = (
            "a span or day" if newest is None else f"span {name(newest, dates=dates)}"
        )
        raise ValueError(
            f"There must be a file of {asked} at {os.path.join(base, pattern)}; there "
            "is none. Check the path, and whether the delivery failed."
        )
    if settings.last != "all":
        oldest = spans[-1].number - settings.last
        spans = [span for span in spans if span.number > oldest]
    _check_age(spans[-1].number, dates=dates, settings=settings, today=today)
    first, last = spans[0].number, spans[-1].number
    there = {span.number for span in spans}
    missing = [number for number in range(first, last) if number not in there]
    _refuse(missing, settings.missing, "missing", "there is no file of it", dates=dates)
    empty = [span.number for span in spans if _is_empty(span, config)]
    _refuse(empty, settings.empty, "empty", "no file of it has a row", dates=dates)
    spans = [span for span in spans if span.number not in empty]
    if not spans:
        raise ValueError("All spans are empty; at least one must have interactions.")
    spans, twice = _once(spans)
    if twice and settings.twice == "error":
        raise ValueError(
            f"{twice[0][0]} has the content of {twice[0][1]}: a day was delivered "
            "twice. Deliver it again, or set `data.spans.twice: skip`, which reads it "
            "once."
        )
    return Window(tuple(spans), dates, tuple(missing), tuple(empty), tuple(twice))


def _refuse(
    numbers: Sequence[int], rule: str, kind: str, why: str, *, dates: bool
) -> None:
    if not numbers or rule != "error":
        return
    named = ", ".join(name(number, dates=dates) for number in numbers[:_NAMED])
    more = ", ..." if len(numbers) > _NAMED else ""
    raise ValueError(
        f"Span {named}{more} is {kind}: {why}. Deliver it, or set `data.spans.{kind}: "
        "skip`, which goes on without it and reads it when it has come."
    )


def _check_age(
    number: int,
    *,
    dates: bool,
    settings: SpansConfig,
    today: datetime.date | None,
) -> None:
    if settings.max_age_days is None:
        return
    if not dates:
        raise ValueError(
            "`data.spans.max_age_days` needs dates, {YYYY}, {MM} and {DD}, in the "
            "path; {SPAN} says nothing of the day. Leave it out."
        )
    now = today or datetime.datetime.now(datetime.timezone.utc).date()
    age = (now - EPOCH).days - number
    if age > settings.max_age_days:
        raise ValueError(
            f"The newest span must be at most {settings.max_age_days} days old "
            f"(`data.spans.max_age_days`); it is {name(number, dates=True)}, {age} "
            "days before today: a delivery is late. Nothing was trained; run again "
            "when it has come."
        )


def _is_empty(span: Span, config: ReadingConfig) -> bool:
    return all(_has_no_row(path, config) for path in span.paths)


def _has_no_row(path: str, config: ReadingConfig) -> bool:
    if files.size(path) > _PERHAPS_EMPTY:
        return False
    try:
        next(reading.read_blocks(path, config))
    except reading.NoRowsError:
        return True
    except ValueError:  # The file has content; the run will say what is wrong with it.
        return False
    return False


def _once(spans: Iterable[Span]) -> tuple[list[Span], list[tuple[str, str]]]:
    """Returns the spans without files whose content an earlier file has.

    Only files of equal size are read and compared.
    """
    spans = list(spans)
    sizes: dict[int, int] = {}
    of_path = {path: files.size(path) for span in spans for path in span.paths}
    for size in of_path.values():
        sizes[size] = sizes.get(size, 0) + 1
    seen: dict[str, str] = {}
    twice, kept = [], []
    for span in spans:
        paths = []
        for path in span.paths:
            if sizes[of_path[path]] > 1:
                earlier = seen.setdefault(_digest(path), path)
                if earlier != path:
                    twice.append((path, earlier))
                    continue
            paths.append(path)
        if paths:
            kept.append(span._replace(paths=tuple(paths)))
    return kept, twice


def _digest(path: str) -> str:
    with files.open_binary(path) as f:
        total = hashlib.sha256()
        while piece := f.read(1 << 20):
            total.update(piece)
    return total.hexdigest()
