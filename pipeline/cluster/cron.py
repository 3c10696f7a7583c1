"""Checks a line of cron, because services accept lines that never run."""

import re
from typing import NamedTuple


class _Field(NamedTuple):
    """A field of the line: name, least and greatest number, and names of numbers."""

    name: str
    least: int
    most: int
    names: tuple[str, ...] = ()


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct")
_FIELDS = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day", 1, 31),
    _Field("month", 1, 12, (*_MONTHS, "nov", "dec")),
    _Field("weekday", 0, 6, ("sun", "mon", "tue", "wed", "thu", "fri", "sat")),
)
_SECOND = _Field("second", 0, 59)
_PART = re.compile(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?")


def check(text: str, *, option: str, seconds: bool = False) -> list[str]:
    """Returns the fields of a cron line.

    Args:
        text: minute, hour, day, month, weekday.
        option: the option of the command, for the message.
        seconds: whether a sixth field, the second, may come first.

    Raises:
        ValueError: the line has more or fewer fields, or an impossible one.

    Example:
        >>> check("*/15 3-5 1,15 jan mon-fri", option="--cron")
        ['*/15', '3-5', '1,15', 'jan', 'mon-fri']
    """
    fields = text.split()
    known: tuple[_Field, ...] = _FIELDS
    if seconds and len(fields) == len(_FIELDS) + 1:
        known = (_SECOND, *_FIELDS)
    if len(fields) != len(known):
        more = ", or 6 with the second first" if seconds else ""
        raise ValueError(
            f"`{option}` must have 5 fields (minute hour day month weekday){more}; got "
            f"{text!r}."
        )
    for field, value in zip(known, fields, strict=True):
        for part in value.split(","):
            if not _is_valid(field, part):
                raise ValueError(
                    f"`{option}`: the {field.name} must be *, a number from "
                    f"{field.least} to {field.most}, a range such as "
                    f"{field.least}-{field.most}, or one of these with a step such as "
                    f"*/2; got {part!r} in {text!r}."
                )
    return fields


def _is_valid(field: _Field, part: str) -> bool:
    if not (found := _PART.fullmatch(part)):
        return part == "?" and field.name in ("day", "weekday")
    _, first, last, step = found.groups()
    if step is not None and not 0 < int(step) <= field.most:
        return False
    if first is None:
        return True
    given = [_number(field, text) for text in (first, last) if text is not None]
    numbers = [number for number in given if number is not None]
    return len(numbers) == len(given) and numbers == sorted(numbers)


def _number(field: _Field, text: str) -> int | None:
    if text.lower() in field.names:
        return field.names.index(text.lower()) + field.least
    if text.isdigit() and field.least <= int(text) <= field.most:
        return int(text)
    return None
