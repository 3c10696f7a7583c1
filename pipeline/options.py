"""Options that commands share: what to compute, from which data, and where it goes."""

import os
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.messages import refuse

if TYPE_CHECKING:
    from pipeline.config import PipelineConfig
    from pipeline.data.catalogue import Dataset as FoundData

_MOST_WORKERS = 256

Dataset = Annotated[
    str | None,
    typer.Option(
        help="ml-100k, ml-1m, ml-10m, ml-20m, ml-25m, ml-32m, ml-latest-small, "
        "synthetic, or the path of a file or a folder of files."
    ),
]
DatasetArgument = Annotated[
    str | None,
    typer.Argument(metavar="DATASET", help="Short for --dataset.", show_default=False),
]
ConfigFile = Annotated[
    str | None,
    typer.Option(
        "--config", help="A YAML file, or a shipped one's name such as ml-1m."
    ),
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", help="Any field of the configuration, as a.b=value."),
]
Out = Annotated[
    pathlib.Path | None,
    typer.Option(help="The run's folder.", show_default="runs/<pipeline>-<data set>"),
]
AsJson = Annotated[
    bool, typer.Option("--json", help="Print the result as JSON, and nothing else.")
]
DataDir = Annotated[
    pathlib.Path | None,
    typer.Option(envvar="DATA_DIR", help="A folder of data sets to look into first."),
]
BeamWorkers = Annotated[
    str,
    typer.Option(
        metavar="auto|N",
        help="How many processes share a node's work on Beam. `auto`: all cores, from "
        "some three million interactions on.",
    ),
]


def workers(text: str) -> int | None:
    """Returns the number of `--beam-workers`, None for `auto`, or ends the command."""
    if text == "auto":
        return None
    if text.isascii() and text.isdigit() and 1 <= int(text) <= _MOST_WORKERS:
        return int(text)
    message = (
        f"`--beam-workers` must be `auto` or a number from 1 to {_MOST_WORKERS}; "
        f"got {text[:40]!r}."
    )
    refuse(ValueError(message))


def named(argument: str | None, option: str | None) -> str | None:
    """Returns the data set that an argument or `--dataset` names.

    Ends the command if they name two.
    """
    if argument is not None and option is not None and argument != option:
        message = f"Name one data set: got {argument!r} and `--dataset {option}`."
        refuse(ValueError(message))
    if argument is not None and argument.endswith((".yaml", ".yml")):
        message = (
            f"{argument!r} must be data; a configuration is `--config {argument}`."
        )
        refuse(ValueError(message))
    return option if argument is None else argument


def check_new_file(file: pathlib.Path) -> None:
    """Makes sure that a configuration can be written into a new file.

    Raises:
        ValueError: the file exists, or its folder is not there or is closed.
    """
    if file.exists():
        raise ValueError(f"{file} exists; name another file, or remove it.")
    folder = os.path.dirname(os.path.realpath(file))  # A link may lead elsewhere.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ValueError(
            f"{file} must be in a folder that is there and may be written to; name "
            "another file."
        )


def settings(
    dataset: str | None, config: str | None, overrides: list[str] | None
) -> "PipelineConfig":
    """Returns the configuration that the options name, or ends the command."""
    from pipeline import config as config_module

    try:
        return config_module.load(config, overrides or (), dataset=dataset)
    except ValueError as error:
        refuse(error)


def data(settings: "PipelineConfig", data_dir: pathlib.Path | None) -> "FoundData":
    """Returns the data set of the configuration, or ends the command."""
    from pipeline import inputs

    try:
        return inputs.find_data(settings, data_dir)
    except ValueError as error:
        refuse(error)
