"""Converts a line of cron to the form of systemd."""

from pipeline.cluster import cron

_DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_NUMBERS = {name: str(number) for number, name in enumerate(_MONTHS, 1)}


def on_calendar(text: str) -> str:
    """Returns the same times for systemd's `OnCalendar`, in UTC.

    Raises:
        ValueError: the text is no line of cron, or has both a day and a weekday: cron
            runs on either, systemd only if both fit.

    Example:
        >>> on_calendar("*/30 3-5 * * mon-fri")
        'Mon..Fri *-*-* 03..05:00/30:00 UTC'
    """
    minute, hour, day, month, weekday = cron.check(text, option="--cron")
    if day not in "*?" and weekday not in "*?":
        raise ValueError(
            "`--cron` must leave the day or the weekday as *, because cron takes "
            f"either and systemd both; got {text!r}."
        )
    date = f"*-{_field(month, first=1)}-{_field(day, first=1)}"
    time = f"{_field(hour, first=0)}:{_field(minute, first=0)}:00"
    days = "" if weekday in "*?" else _weekdays(weekday) + " "
    return f"{days}{date} {time} UTC"


def _field(text: str, *, first: int) -> str:
    return ",".join(_part(part, first) for part in text.split(","))


def _part(text: str, first: int) -> str:
    span, slash, step = text.partition("/")
    if span in "*?":
        return f"{first:02}/{step}" if slash else "*"
    ends = [f"{int(_NUMBERS.get(end.lower(), end)):02}" for end in span.split("-")]
    return "..".join(ends) + slash + step


def _weekdays(text: str) -> str:
    if "/" in text:
        raise ValueError(
            f"`--cron` must name weekdays one by one for systemd; got {text!r}."
        )
    return ",".join(_weekday_part(part) for part in text.split(","))


def _weekday_part(text: str) -> str:
    ends = [_weekday(end) for end in text.split("-")]
    if ends[0] == _DAYS[0]:  # systemd's weeks begin on Monday, cron's on Sunday.
        return ",".join(_DAYS[: _DAYS.index(ends[-1]) + 1])
    return "..".join(ends)


def _weekday(text: str) -> str:
    return _DAYS[int(text)] if text.isdigit() else text.capitalize()
