"""Schedules of runs on either service, chosen by name or id."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

ACTIVE = "active"
PAUSED = "paused"


class Schedule(NamedTuple):
    """One schedule.

    Attributes:
        id: the id that the service gave.
        name: the name that the user gave.
        cron: when the schedule starts runs, as a line of cron.
        state: `active`, `paused`, or the service's own word for another state.
        url: the schedule's page in the service's UI.
    """

    id: str
    name: str
    cron: str
    state: str
    url: str

    def line(self) -> str:
        """Returns the schedule in words."""
        return f"{self.name}: {self.cron}, {self.state}\n  {self.id}\n  {self.url}"


def choose(found: Sequence[Schedule], wanted: str) -> Schedule:
    """Returns the schedule with that name or id.

    Raises:
        ValueError: there is no such schedule, or several have the name.
    """
    chosen = [one for one in found if wanted in (one.name, one.id)]
    if len(chosen) == 1:
        return chosen[0]
    if chosen:
        ids = ", ".join(one.id for one in chosen)
        raise ValueError(
            f"{len(chosen)} schedules are called {wanted!r}; name one by its id: {ids}."
        )
    names = ", ".join(repr(one.name) for one in found) or "none at all"
    raise ValueError(f"There is no schedule {wanted!r}. There are: {names}.")


def act(
    action: str,
    wanted: str | None,
    *,
    found: Sequence[Schedule],
    deeds: Mapping[str, Callable[[str], Any]],
) -> str:
    """Lists schedules, or does something to one; returns what to print.

    Args:
        action: a key of `deeds`, or `list`.
        wanted: name or id of the schedule; None for `list`.
        found: all schedules.
        deeds: action -> a function that does it to the schedule with an id.

    Raises:
        ValueError: there is no such action or schedule.
    """
    if action == "list":
        return "\n".join(one.line() for one in found) or "There are no schedules."
    if action not in deeds:
        known = ", ".join(["list", *deeds])
        raise ValueError(f"A schedule knows {known}; got {action!r}.")
    if wanted is None:
        raise ValueError(
            f"Which one? Give a name or an id: ncf schedule ... {action} NAME"
        )
    chosen = choose(found, wanted)
    deeds[action](chosen.id)
    done = {"pause": "is paused", "resume": "runs again", "delete": "is deleted"}
    return f"{chosen.name} {done[action]}."
