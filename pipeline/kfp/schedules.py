"""Lists and changes the schedules (recurring runs) of a Kubeflow Pipelines API."""

from collections.abc import Callable, Mapping
from typing import Any

from pipeline.cluster.schedules import ACTIVE, PAUSED, Schedule
from pipeline.kfp.api import KubeflowApi

_STATES = {"ENABLED": ACTIVE, "DISABLED": PAUSED}
_PAGE_SIZE = 100


def find(cluster: KubeflowApi, experiment_id: str | None = None) -> list[Schedule]:
    """Returns all schedules, or those of an experiment, in the service's order."""
    found, token = [], ""
    while True:
        with cluster.explained():
            answer = cluster.client.list_recurring_runs(
                page_token=token,
                page_size=_PAGE_SIZE,
                experiment_id=experiment_id,
                namespace=cluster.namespace,
            )
        found += [_schedule(cluster, made) for made in answer.recurring_runs or ()]
        token = answer.next_page_token or ""
        if not token:
            return found


def deeds(cluster: KubeflowApi) -> Mapping[str, Callable[[str], Any]]:
    """Returns action -> a function that does it to the schedule with an id."""
    client = cluster.client
    return {
        "pause": client.disable_recurring_run,
        "resume": client.enable_recurring_run,
        "delete": client.delete_recurring_run,
    }


def _schedule(cluster: KubeflowApi, made: Any) -> Schedule:
    trigger = getattr(made.trigger, "cron_schedule", None)
    state = str(made.status or "?").upper()
    return Schedule(
        id=made.recurring_run_id,
        name=made.display_name,
        cron=getattr(trigger, "cron", None) or "not by cron",
        state=_STATES.get(state, state.lower()),
        url=cluster.page(f"recurringrun/details/{made.recurring_run_id}"),
    )
