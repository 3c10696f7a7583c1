"""`ncf tune`: searches better hyperparameters and writes a configuration with them."""

import pathlib
from typing import Annotated

import typer

from pipeline.messages import next_run, refuse
from pipeline.options import (
    AsJson,
    ConfigFile,
    DataDir,
    Dataset,
    DatasetArgument,
    Out,
    Overrides,
)


def tune(
    argument: DatasetArgument = None,
    dataset: Dataset = None,
    config: ConfigFile = None,
    out: Out = None,
    data_dir: DataDir = None,
    overrides: Overrides = None,
    trials: Annotated[
        int | None, typer.Option(help="Configurations to try.", show_default="40")
    ] = None,
    minutes: Annotated[
        float | None, typer.Option(help="Minutes to search.", show_default="no limit")
    ] = None,
    processes: Annotated[
        int | None,
        typer.Option(help="Trials at a time.", show_default="one per core, 8 at most"),
    ] = None,
    objective: Annotated[
        str | None,
        typer.Option(
            help="hit_rate@10, ndcg@10, catalogue_hit_rate@10 or catalogue_ndcg@10 of "
            "the validation items.",
            show_default="what epochs are chosen by",
        ),
    ] = None,
    new_config: Annotated[
        pathlib.Path | None,
        typer.Option(
            "--write-config", help="Write a configuration with the best: a new file."
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Search for better hyperparameters on the validation items."""
    typer.echo("Checking the configuration and the data ...", err=as_json)
    from pipeline import config as config_module
    from pipeline import idle_settings, inputs, options
    from pipeline.local import endings, running

    told = {
        "trials": trials,
        "minutes": minutes,
        "processes": processes,
        "objective": objective,
    }
    given = [f"tune.{n}={value}" for n, value in told.items() if value is not None]
    named = options.named(argument, dataset)
    try:
        if new_config is not None:
            options.check_new_file(new_config)
        settings = config_module.load(
            config, [*(overrides or ()), *given], dataset=named
        )
        if settings.tune is None:
            settings = config_module.load(
                config, [*(overrides or ()), "tune={}"], dataset=named
            )
        idle_settings.tell(settings)
        found = inputs.find_data(settings, data_dir)
        from pipeline.local import tuning

        result = tuning.tune(
            settings,
            found,
            out=out or running.default_out(settings, found),
            progress_to_errors=as_json,
        )
        if new_config is not None:
            tuning.write_config(new_config, settings, result)
            typer.echo(next_run(new_config), err=as_json)
    except endings.RunFailed:
        raise typer.Exit(1) from None
    except ValueError as error:
        refuse(error)
    if as_json:
        typer.echo(result.to_json())
