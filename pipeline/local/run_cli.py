"""`ncf run` and `ncf prepare`."""

import json
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline import options
from pipeline.messages import next_run, refuse, say
from pipeline.options import (
    AsJson,
    BeamWorkers,
    ConfigFile,
    DataDir,
    Dataset,
    DatasetArgument,
    Out,
    Overrides,
)

if TYPE_CHECKING:
    from pipeline import inputs


def run(
    argument: DatasetArgument = None,
    dataset: Dataset = None,
    config: ConfigFile = None,
    out: Out = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print the verdict alone.")
    ] = False,
    as_json: AsJson = False,
    allow_shrink: Annotated[
        bool,
        typer.Option(
            "--allow-shrink",
            help="Train although many users or items are gone (`data.max_shrink`).",
        ),
    ] = False,
    fresh_metadata: Annotated[
        bool,
        typer.Option(
            "--fresh-metadata",
            help="Move records and artifacts of earlier runs aside; serving stays.",
        ),
    ] = False,
    beam_workers: BeamWorkers = "auto",
) -> None:
    """Run the whole pipeline on this machine."""
    workers = options.workers(beam_workers)
    if not quiet:  # Printed before slow imports.
        typer.echo("Checking the configuration and the data ...", err=as_json)
    from pipeline import idle_settings, inputs
    from pipeline.local import endings, running

    named = options.named(argument, dataset)
    lifted = ["data.max_shrink=1"] if allow_shrink else []
    settings = options.settings(named, config, [*(overrides or ()), *lifted])
    if not quiet:
        idle_settings.tell(settings)
    found = options.data(settings, data_dir)
    try:
        seen = inputs.understand(settings, found)
        if not quiet:
            _show(seen, errors=as_json)
        summary = running.run(
            settings,
            found,
            out=out or running.default_out(settings, found),
            item_titles=seen.titles,
            quiet=quiet,
            progress_to_errors=as_json,
            fresh_metadata=fresh_metadata,
            beam_workers=workers,
        )
    except endings.RunFailed:
        raise typer.Exit(1) from None
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo("null\n" if summary is None else summary.to_json(), nl=False)


def prepare(
    argument: DatasetArgument = None,
    dataset: Dataset = None,
    config: ConfigFile = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    new_config: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--write-config",
            help="Write a configuration that reads the data: a new YAML file.",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Fetch the data set, read it, and say how it is understood and where it is."""
    from pipeline.local import understood

    named = options.named(argument, dataset)
    settings = options.settings(named, config, overrides)
    try:
        if new_config is not None:
            from pipeline.local import own_data

            settings, found, seen = own_data.settle(settings, data_dir)
        else:
            from pipeline import inputs

            found = options.data(settings, data_dir)
            seen = inputs.understand(settings, found, at_most=float("inf"))
        if not as_json:
            _show(seen, errors=True)
        if new_config is not None:
            understood.write_config(new_config, seen.overview, settings.data)
            say(next_run(new_config), "green")
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo(json.dumps(understood.as_json(seen.overview, found.path), indent=2))
    else:
        typer.echo(found.path)


def _show(seen: "inputs.Understood", *, errors: bool) -> None:
    from rich.console import Console

    from pipeline.local import understood

    console = Console(stderr=errors, highlight=False)
    understood.show(console, seen.overview, seen.titles)
