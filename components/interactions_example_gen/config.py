"""How a file of interactions is read: the typed, validated settings."""

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
    file looks like; a user and an item there must be.

    Attributes:
        user: the column of user ids: a name, or a position from 0; `auto` finds it.
        item: the column of item ids, given in the same way.
        rating: the column of ratings, given in the same way; null for none.
        timestamp: the column of times, given in the same way; null for none.
        title: what people call the item; nothing is computed from it. Null: none.
    """

    user: Column = AUTO
    item: Column = AUTO
    rating: Column | None = AUTO
    timestamp: Column | None = AUTO
    title: Column | None = None


class SpansConfig(config.Config):
    """Which deliveries are read, where the path has `{SPAN}` or a date in its place.

    Whatever is chosen, a pair of user and item counts once, at its first time.

    Attributes:
        last: the last so many spans, days where the path has dates; `all` is all there
            are. The users' histories are merged across them.
        missing: of a span between two others of which there is no file: `error` stops
            the run, `skip` goes on without it. When it comes late, it is read.
        empty: the same of a span whose files have no row.
        twice: of a file with the very content of an earlier one: `skip` reads it once.
        max_age_days: the run stops if the newest day is older: a delivery is late. Null
            takes the newest there is.
    """

    last: pydantic.PositiveInt | Literal["all"] = "all"
    missing: Literal["error", "skip"] = "error"
    empty: Literal["error", "skip"] = "error"
    twice: Literal["error", "skip"] = "skip"
    max_age_days: pydantic.PositiveInt | None = None


class DriftConfig(config.Config):
    """By how much the newest span may differ from those before it.

    A figure above its limit stops the run; null has no limit. All figures are noted.

    Attributes:
        against: so many spans before it are compared with.
        events: how many times as many, or as few, interactions as their median.
        new_users: fraction of its users that are in none of them.
        new_items: fraction of its interactions with items that are in none of them.
        item_share: the largest change of one item's share of the interactions.
        popularity: the Jensen-Shannon divergence of the items' popularity, in [0, 1].
        events_per_user: that of the numbers of interactions per user.
        misfit: fraction of its new pairs that fit no better than with their items
            swapped: 0.5 where ids have changed places.
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
        """Returns those that are set."""
        values = self.model_dump(exclude={"against"})
        return {name: value for name, value in values.items() if value is not None}


class ReadingConfig(config.Config):
    """How InteractionsExampleGen reads its input and which interactions it keeps.

    Attributes:
        columns: where user, item, rating and time stand.
        delimiter: `auto`, `::`, one ASCII character, or `tab`, `comma`, `space`.
        header: whether line 1 names the columns; `auto` looks at it.
        decimal: `,` where ratings and times are written as in 1.234,5; then points and
            spaces between digits are left out.
        timestamp_unit: of times given as numbers. `auto` goes by size: seconds below
            1e11 (the year 5138), then milliseconds, microseconds, nanoseconds, each
            a thousand times larger. ISO 8601 dates are understood with any setting;
            without a zone they are UTC.
        timestamp_format: of times given as text, in the signs of strptime, such as
            `%d/%m/%Y %H:%M`; UTC. `excel` takes a spreadsheet's numbers of days.
            `auto` reads numbers and ISO 8601 dates.
        min_interactions: users with fewer distinct items are left out (official NCF:
            20).
        max_interactions: users with more distinct items are left out, all of them:
            bots, test accounts. Null keeps everyone.
        min_rating: interactions rated lower are left out before anything is counted.
            Null keeps all.
        bad_rows: `error` stops at the first row that cannot be read; `skip` leaves such
            rows out, counts them by kind and shows the first ones. What makes a whole
            file untrustworthy (a truncated archive, a missing column) stops either way.
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
