"""Lists and changes the schedules of Vertex AI Pipelines in one region."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.cluster import google_cloud
from pipeline.cluster.schedules import ACTIVE, PAUSED, Schedule
from pipeline.vertex.api import VertexApi

_STATES = {"ACTIVE": ACTIVE, "PAUSED": PAUSED}


def find(vertex: VertexApi, name: str | None = None) -> list[Schedule]:
    """Returns all schedules that have not ended, or those with a name."""
    given = None if name is None else f'display_name="{name}"'
    with google_cloud.explained(), google_cloud.quiet():
        found = [_schedule(vertex, made) for made in _kind(vertex).list(filter=given)]
    return [
        one
        for one in found
        if one.state in _STATES.values() and name in (None, one.name)
    ]


def deeds(vertex: VertexApi) -> Mapping[str, Callable[[str], Any]]:
    """Returns action -> a function that does it to the schedule with an id."""
    kind = _kind(vertex)
    return {
        "pause": lambda id_: kind.get(id_).pause(),
        # Runs that were missed while the schedule was paused are not started.
        "resume": lambda id_: kind.get(id_).resume(catch_up=False),
        "delete": lambda id_: kind.get(id_).delete(),
    }


def _kind(vertex: VertexApi) -> Any:
    return vertex.client.PipelineJobSchedule


def _schedule(vertex: VertexApi, made: Any) -> Schedule:
    state = made.state.name
    return Schedule(
        id=made.resource_name,
        name=made.display_name,
        cron=made.cron,
        state=_STATES.get(state, state.lower()),
        url=vertex.page("schedules", made.resource_name),
    )
