"""Options and messages that the commands of all clusters share."""

import contextlib
import pathlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import interrupts
from pipeline.cluster.submission import RemoteRunFailed, Submission
from pipeline.messages import refuse, say

if TYPE_CHECKING:
    from pipeline.cluster.config import ClusterConfig

Dataset = Annotated[
    str | None,
    typer.Option(
        help="Default of the parameter data_path: gs://..., a path in a mounted "
        "volume, or the name of a public data set."
    ),
]
Platform = Annotated[
    pathlib.Path | None,
    typer.Option(help="A YAML file that says where and on what the pipeline runs."),
]

Output = Annotated[
    pathlib.Path, typer.Option("--output", "-o", help="The file to write.")
]
Image = Annotated[str | None, typer.Option(help="Container image, best by digest.")]
TrainerImage = Annotated[
    str | None, typer.Option(help="The container image of Trainer, if it is another.")
]
Gpu = Annotated[str | None, typer.Option(help="T4, L4, A100, A100-80GB or H100.")]
Gpus = Annotated[int | None, typer.Option(help="How many GPUs.")]
ServiceAccount = Annotated[
    str | None, typer.Option(help="Kubernetes service account of the pods.")
]
RunName = Annotated[str | None, typer.Option(help="The name of the run.")]
# `--cron` on Kubeflow and `--schedule` on Vertex.
Cron = Annotated[
    str | None,
    typer.Option(
        help="Run by this schedule, in UTC, such as '0 3 * * *'; an earlier schedule "
        "with the same --name is removed."
    ),
]
Parameters = Annotated[
    list[str] | None, typer.Option(help="name=value; may be repeated.")
]
Wait = Annotated[
    bool, typer.Option("--wait", help="Wait; the exit status is the run's.")
]
Timeout = Annotated[float, typer.Option(help="How many seconds to wait.")]
ScheduleAction = Annotated[
    str, typer.Argument(help="list, pause, resume or delete.", metavar="ACTION")
]
ScheduleName = Annotated[
    str | None, typer.Argument(help="Name or id of the schedule.", metavar="NAME")
]


@contextlib.contextmanager
def failures() -> Iterator[None]:
    """Ends the command with a message if something fails or is refused.

    The exit status is 1 for a run that failed, and 2 for a ValueError, with which
    something is refused here, before anything was started, or by the service.
    """
    try:
        yield
    except RemoteRunFailed as error:
        say(str(error))
        raise typer.Exit(1) from None
    except ValueError as error:
        refuse(error)


def check_wait(wait: bool, cron: str | None) -> None:
    """Raises ValueError if both waiting and a schedule are asked for."""
    if wait and cron:
        raise ValueError("`--wait` is for one run; a schedule has no end.")


@contextlib.contextmanager
def waiting(
    run: Submission, cancel: Callable[[], None] | None = None
) -> Iterator[None]:
    """Says how the waiting for a run ended; at Ctrl-C `cancel` is called before."""
    try:
        yield
    except KeyboardInterrupt:
        if cancel:
            cancel()
        state = "is being cancelled" if cancel else "goes on"
        typer.secho(f"Interrupted; the run {state}. See {run.url}", err=True)
        raise typer.Exit(interrupts.STOPPED) from None
    typer.echo("The run has succeeded.")


def told(made: Submission) -> Submission:
    """Prints what was submitted; returns it."""
    for note in made.notes:
        typer.secho(note, err=True)
    typer.echo(made.url)
    return made


def note_caching(platform: "ClusterConfig") -> None:
    """Prints a note if nothing is cached although caching was not switched off."""
    if platform.cache and not platform.cacheable:
        typer.secho(
            f"No task is cached: the image {platform.image} is a tag, which can come "
            "to mean other code. With name@sha256:... equal tasks are not run again.",
            err=True,
        )


def write(output: pathlib.Path, text: str) -> None:
    """Writes a compiled file, and prints its path."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    typer.echo(output)
