"""Which days of a rolling input a run reads, and what becomes of odd ones."""

import datetime
import glob
import hashlib
import os
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from components.interactions_example_gen import files, reading
from components.interactions_example_gen.config import ReadingConfig, SpansConfig
from components.interactions_example_gen.span_marks import EPOCH, Span, find, name

PROPERTY = "spans"  # of the Examples: what `Window.note` returns
# Only so small a file (packed or not) is opened to see whether it has any row.
_PERHAPS_EMPTY = 1 << 16
_NAMED = 10  # spans in a message


class Window(NamedTuple):
    """What a run reads.

    Attributes:
        spans: the numbers of those that are read, the oldest first; each has files.
        dates: whether the numbers are dates.
        missing: numbers between the first and the last of which there is no file.
        empty: numbers whose files have no row.
        twice: (path, the earlier one with the same content); the first is not read.
    """

    spans: tuple[Span, ...]
    dates: bool
    missing: tuple[int, ...] = ()
    empty: tuple[int, ...] = ()
    twice: tuple[tuple[str, str], ...] = ()

    @property
    def paths(self) -> list[str]:
        """The files, the oldest span first."""
        return [path for span in self.spans for path in span.paths]

    def name(self, number: int) -> str:
        """Returns how people write a span: 2024-01-31, or a number."""
        return name(number, dates=self.dates)

    def pattern(self, base: str) -> str:
        """Returns a pattern of `files.find` that means these files of `base`."""
        start = len(base.rstrip("/")) + 1
        return "\n".join(glob.escape(path[start:]) for path in self.paths)

    def note(self) -> dict[str, Any]:
        """Returns what was read and what was left out; JSON can hold it."""
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
    """Returns what a run reads.

    Args:
        base: folder; `pattern` with marks is that of a file in it.
        pattern: of `split`.
        settings: which spans, and what becomes of days that are not as they should be.
        config: how a file is read, for telling whether it has rows.
        newest: a run as of this span: later ones do not count; it must be there.
        today: for `max_age_days`; None asks the clock, in UTC.

    Raises:
        ValueError: there is no span, or one is missing, empty, too old or delivered
            twice where that is an error.
    """
    spans = find(base, pattern)
    dates = "{SPAN" not in pattern
    if newest is not None:
        spans = [span for span in spans if span.number <= newest]
    if not spans or newest not in (None, spans[-1].number):
        asked = "one" if newest is None else f"span {name(newest, dates=dates)}"
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
    except ValueError:  # It has something; the run says what is wrong with it.
        return False
    return False


def _once(spans: Iterable[Span]) -> tuple[list[Span], list[tuple[str, str]]]:
    """Returns the spans without files whose very content an earlier one has.

    Of equal size only are files read for it.
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
