"""How a file of interactions is read: the typed, validated settings."""

from typing import Literal

import pydantic

from ncf_model import config

DELIMITER_NAMES = {"tab": "\t", "\\t": "\t", "comma": ",", "space": " "}


class ColumnsConfig(config.Config):
    """Which columns hold what: a name, or a position counted from 0.

    Null finds the column by the common names (`userId`, `movie_id`, `rating`, `time`
    and so on, see `layout.COMMON_NAMES`) or, in a file without a header, by position:
    user, item, rating, timestamp.
    """

    user: str | pydantic.NonNegativeInt | None = None
    item: str | pydantic.NonNegativeInt | None = None
    rating: str | pydantic.NonNegativeInt | None = None
    timestamp: str | pydantic.NonNegativeInt | None = None


class ReadingConfig(config.Config):
    """How InteractionsExampleGen reads its input and which interactions it keeps.

    Attributes:
        columns: where user, item, rating and time stand.
        delimiter: `auto`, `::`, one ASCII character, or `tab`, `comma`, `space`.
        header: whether line 1 names the columns; `auto` looks at it.
        timestamp_unit: of times given as numbers. `auto` goes by size: seconds below
            1e11 (the year 5138), then milliseconds, microseconds, nanoseconds, each
            a thousand times larger. ISO 8601 dates are understood with any setting;
            without a zone they are UTC.
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
    timestamp_unit: Literal["auto", "s", "ms", "us", "ns"] = "auto"
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

    @pydantic.model_validator(mode="after")
    def _check(self) -> "ReadingConfig":
        limit = self.max_interactions
        if limit is not None and limit < self.min_interactions:
            raise ValueError(
                "`max_interactions` must be at least `min_interactions`; got "
                f"{limit} and {self.min_interactions}."
            )
        named = [v for v in dict(self.columns).values() if isinstance(v, str)]
        if named and self.header is False:
            raise ValueError(
                f"Columns can be named ({named}) only if there is a header; set "
                "`header` to true, or give positions counted from 0."
            )
        return self
