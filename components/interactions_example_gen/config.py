"""The typed, validated settings of how files of interactions are read."""

import datetime
from typing import Annotated, Literal

import pydantic

from ncf_model import config

DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "space": " "}


AUTO = "auto"  # a column is found by its name or position
EXCEL = "excel"  # days since 1899-12-30, as spreadsheets store dates

Column = str | pydantic.NonNegativeInt
Fraction = Annotated[float, pydantic.Field(ge=0, le=1)]


class ColumnsConfig(config.Config):
    """Which columns hold what: a name, or a position counted from 0.

    `auto` finds the column by the common names (`userId`, `movie_id`, `rating`, `time`
    and so on, see `names.COMMON_NAMES`) or, in a file without a header, by position:
    user, item, rating, timestamp. Null says that there is no such column, whatever the
    file looks like. The user and the item column must exist.

    Attributes:
        user: the column of user ids: a name, or a position from 0; `auto` finds it.
        item: the column of item ids, given in the same way.
        rating: the column of ratings, given in the same way; null for none.
        timestamp: the column of times, given in the same way; null for none.
        title: the column of the items' titles, which are shown and never learned; null
            for none.
    """

    user: Column = AUTO
    item: Column = AUTO
    rating: Column | None = AUTO
    timestamp: Column | None = AUTO
    title: Column | None = None


class SpansConfig(config.Config):
    """Which deliveries are read, where the path has `{SPAN}` or a date.

    A pair of user and item counts once, at its first time, in whatever spans it is.

    Attributes:
        last: how many spans (days, where the path has dates) are read, the latest ones;
            `all` reads all there are. A user's interactions in all of them are one
            history.
        missing: what to do if a span between two others has no file: `error` stops the
            run, `skip` continues without the span, and reads it once it is there.
        empty: what to do if the files of a span have no row: `error` or `skip`, as with
            `missing`.
        twice: what to do if a file has the content of an earlier one: `error` stops the
            run, `skip` reads that content once.
        max_age_days: the run stops if the newest day is older than so many days,
            because a delivery is late then. Null accepts any age.
    """

    last: pydantic.PositiveInt | Literal["all"] = "all"
    missing: Literal["error", "skip"] = "error"
    empty: Literal["error", "skip"] = "error"
    twice: Literal["error", "skip"] = "skip"
    max_age_days: pydantic.PositiveInt | None = None


class DriftConfig(config.Config):
    """By how much the newest span may differ from the spans before it.

    A figure above its limit stops the run; null sets no limit. All figures are noted.

    Attributes:
        against: how many earlier spans the newest one is compared with.
        events: the number of interactions divided by the median of the earlier spans,
            or the inverse of that, whichever is larger.
        new_users: fraction of the newest span's users that no earlier span has.
        new_items: fraction of the newest span's interactions with items that no earlier
            span has.
        item_share: the largest change of one item's share of the interactions.
        popularity: the Jensen-Shannon divergence of the items' popularity, in [0, 1].
        events_per_user: the Jensen-Shannon divergence of the numbers of interactions
            per user, in [0, 1].
        misfit: fraction of the newest span's new pairs that fit no better than with
            their items swapped: 0.5 where ids have changed places.
    """

    against: pydantic.PositiveInt = 7
    events: float | None = pydantic.Field(None, ge=1)
    new_users: Fraction | None = None
    new_items: Fraction | None = None
    item_share: Fraction | None = None
    popularity: Fraction | None = None
    events_per_user: Fraction | None = None
    misfit: Fraction | None = None

    def limits(self) -> dict[str, float]:
        """Returns the limits that are set."""
        values = self.model_dump(exclude={"against"})
        return {name: value for name, value in values.items() if value is not None}


class ReadingConfig(config.Config):
    """How InteractionsExampleGen reads its input and which interactions it keeps.

    Attributes:
        columns: which columns hold user, item, rating and time.
        delimiter: `auto`, `::`, one ASCII character, or `tab`, `comma`, `space`.
        header: whether line 1 names the columns; `auto` looks at line 1.
        decimal: the character before the fraction of ratings and times. With `,`, as in
            1.234,5, points and spaces between digits are ignored.
        timestamp_unit: the unit of times given as numbers. `auto` goes by size: seconds
            below 1e11 (the year 5138), then milliseconds, microseconds, nanoseconds,
            each a thousand times larger. ISO 8601 dates are understood with any
            setting; without a zone they are UTC.
        timestamp_format: the form of times given as text, in strptime's signs, such as
            `%d/%m/%Y %H:%M`; UTC. `excel` reads a spreadsheet's numbers of days. `auto`
            reads numbers and ISO 8601 dates.
        min_interactions: users with fewer distinct items are left out (official NCF:
            20).
        max_interactions: users with more distinct items (bots, test accounts) are left
            out with all their interactions. Null keeps all users.
        min_rating: interactions with a lower rating are left out before anything is
            counted. Null keeps all.
        bad_rows: `error` stops at the first row that cannot be read; `skip` leaves such
            rows out, counts them by kind and shows the first ones. Faults of a whole
            file (a truncated archive, a missing column) stop the run either way.
    """

    columns: ColumnsConfig = ColumnsConfig()
    delimiter: str = "auto"
    header: bool | Literal["auto"] = "auto"
    decimal: Literal[".", ","] = "."
    timestamp_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
    timestamp_format: str = AUTO
    min_interactions: pydantic.PositiveInt = 1
    max_interactions: pydantic.PositiveInt | None = None
    min_rating: float | None = None
    bad_rows: Literal["error", "skip"] = "error"

    @pydantic.field_validator("delimiter")
    @classmethod
    def _check_delimiter(cls, value: str) -> str:
        value = DELIMITER_NAMES.get(value, value)
        one_character = len(value) == 1 and value.isascii() and value not in '"\r\n'
        if value in ("auto", "::") or one_character:
            return value
        raise ValueError(
            "`delimiter` must be `auto`, `::`, `tab`, `comma`, `space` or one ASCII "
            f"character other than a quote; got {value!r}."
        )

    @pydantic.field_validator("timestamp_format")
    @classmethod
    def _check_format(cls, value: str) -> str:
        if value in (AUTO, EXCEL):
            return value
        if "%" not in value:
            raise ValueError(
                "`timestamp_format` must be `auto`, `excel` or a form in strptime's "
                f"signs, such as `%d/%m/%Y %H:%M`; got {value!r}."
            )
        if "%z" in value.lower():
            raise ValueError(
                "`timestamp_format` cannot read zones; write such times as ISO 8601, "
                f"which needs no format; got {value!r}."
            )
        try:
            datetime.datetime.strptime("", value)
        except ValueError as error:
            if "directive" in str(error) or "stray" in str(error):
                raise ValueError(f"`timestamp_format`: {error}") from None
        return value

    @pydantic.model_validator(mode="after")
    def _check(self) -> "ReadingConfig":
        limit = self.max_interactions
        if limit is not None and limit < self.min_interactions:
            raise ValueError(
                "`max_interactions` must be at least `min_interactions`; got "
                f"{limit} and {self.min_interactions}."
            )
        named = [
            v for v in dict(self.columns).values() if isinstance(v, str) and v != AUTO
        ]
        if named and self.header is False:
            raise ValueError(
                f"Columns can be named ({named}) only if there is a header; set "
                "`header` to true, or give positions counted from 0."
            )
        return self
