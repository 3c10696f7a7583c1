"""What submitting a compiled pipeline leads to, on either service."""

from typing import Any, NamedTuple


class RunFailed(Exception):
    """The run ended badly; the message says where to look."""


class Submission(NamedTuple):
    """What was made.

    Attributes:
        id: of the run, or of the schedule.
        url: its page in the service's UI.
        parameters: those that were given, as sent.
        notes: what could not be checked before, one sentence each.
    """

    id: str
    url: str
    parameters: dict[str, Any]
    notes: tuple[str, ...] = ()
