"""Submitted runs and schedules of either service, and waiting for a run."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

POLL_S = 10.0
# A service that does not answer, as while it is updated, is asked again for so long.
_SILENCE_S = 600.0


class RemoteRunFailed(Exception):
    """A remote run failed or was cancelled; the message says where to look."""


class Submission(NamedTuple):
    """A run or a schedule that was made.

    Attributes:
        id: of the run, or of the schedule.
        url: the page of the run or schedule in the service's UI.
        parameters: the parameters that were given, as sent.
        notes: a sentence for each thing that could not be checked before.
    """

    id: str
    url: str
    parameters: dict[str, Any]
    notes: tuple[str, ...] = ()


class RunState(NamedTuple):
    """The state of a run.

    Attributes:
        word: the service's word for the state, in lower case.
        succeeded: whether the run has succeeded.
        failure: a sentence about the failure; None if the run has not failed.
    """

    word: str
    succeeded: bool = False
    failure: str | None = None


def wait(
    run: Submission, ask: Callable[[], RunState], *, timeout_s: float, poll_s: float
) -> None:
    """Returns when the run has succeeded.

    The functions of Kubeflow and Vertex that wait print messages of their own, and
    Kubeflow's does not report whether the run failed.

    Args:
        run: the run that was submitted.
        ask: returns the state of the run.
        timeout_s: how long to wait.
        poll_s: how long to pause between two questions.

    Raises:
        RemoteRunFailed: the run failed or was cancelled.
        ValueError: the run was not done in time, or the service did not tell its state
            for some minutes; it continues.
    """
    answered = time.monotonic()
    end = answered + timeout_s
    while True:
        try:
            state = ask()
            answered = time.monotonic()
        except ValueError as error:
            if time.monotonic() > min(end, answered + _SILENCE_S):
                raise ValueError(f"{error} The run goes on. See {run.url}") from None
            time.sleep(poll_s)
            continue
        if state.succeeded:
            return
        if state.failure is not None:
            raise RemoteRunFailed(f"{state.failure} See {run.url}")
        if time.monotonic() > end:
            raise ValueError(
                f"The run is still {state.word} after {timeout_s:.0f} s; it goes on. "
                f"See {run.url}"
            )
        time.sleep(poll_s)
