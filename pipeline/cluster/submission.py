"""What submitting a compiled pipeline leads to, on either service."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

POLL_S = 10.0


class RemoteRunFailed(Exception):
    """The run ended badly; the message says where to look."""


class Submission(NamedTuple):
    """A run or a schedule that was made.

    Attributes:
        id: of the run, or of the schedule.
        url: the page of the run or schedule in the service's UI.
        parameters: those that were given, as sent.
        notes: what could not be checked before, one sentence each.
    """

    id: str
    url: str
    parameters: dict[str, Any]
    notes: tuple[str, ...] = ()


class State(NamedTuple):
    """How a run stands.

    Attributes:
        word: the service's word for the state, in small letters.
        succeeded: whether the run has ended well.
        failure: a sentence about its bad end; None while there is none.
    """

    word: str
    succeeded: bool = False
    failure: str | None = None


def wait(
    run: Submission, ask: Callable[[], State], *, timeout_s: float, poll_s: float
) -> None:
    """Returns when the run has succeeded.

    Kubeflow's and Vertex's own ways to wait print what they like, and the first does
    not tell a failed run from a good one.

    Args:
        run: what was submitted.
        ask: asks the service how the run stands.
        timeout_s: how long to wait.
        poll_s: how long to pause between two questions.

    Raises:
        RemoteRunFailed: the run failed or was cancelled.
        ValueError: the run was not done in time; it continues.
    """
    end = time.monotonic() + timeout_s
    while True:
        state = ask()
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
