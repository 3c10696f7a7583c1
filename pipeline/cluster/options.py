"""Options and words that the commands for all clusters share."""

import contextlib
import pathlib
import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

if TYPE_CHECKING:
    from pipeline.cluster.config import ClusterConfig

Dataset = Annotated[
    str | None,
    typer.Option(
        help="Default of the parameter data_path: gs://..., a path in a mounted "
        "volume, or the name of a public data set."
    ),
]
ConfigFile = Annotated[
    str | None,
    typer.Option("--config", help="A YAML file, or a shipped one's name."),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any field of the configuration, as a.b=value."),
]
Platform = Annotated[
    pathlib.Path | None,
    typer.Option(help="A YAML file that says where and on what it runs."),
]

Parameters = Annotated[
    list[str] | None, typer.Option(help="name=value; may be repeated.")
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait; the exit code is the run's.")]
Timeout = Annotated[float, typer.Option(help="How long to wait.")]
ScheduleAction = Annotated[
    str, typer.Argument(help="list, pause, resume or delete.", metavar="[ACTION]")
]
ScheduleName = Annotated[
    str | None, typer.Argument(help="Name or id of the schedule.", metavar="[NAME]")
]


@contextlib.contextmanager
def quiet_imports() -> Iterator[None]:
    """Keeps from view that Google's packages will not support Python 3.10 for ever.

    It is the older line's Python, and nothing that a user of it can change; each of
    four packages says so when TFX imports it.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings(
            "ignore", message=".*non-supported Python version", category=FutureWarning
        )
        yield


def note_caching(platform: "ClusterConfig") -> None:
    """Says so if nothing is cached although it was not switched off."""
    if platform.cache and not platform.cacheable:
        typer.secho(
            f"No task is cached: the image {platform.image} is a tag, which can come "
            "to mean other code. With name@sha256:... equal tasks are not run again.",
            err=True,
        )


def write(output: pathlib.Path, text: str) -> None:
    """Writes what was compiled, and says where."""
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    typer.echo(output)


def refuse(error: ValueError) -> NoReturn:
    """Ends the command with the message of `error`."""
    typer.secho(str(error), fg="red", err=True)
    raise typer.Exit(2)
