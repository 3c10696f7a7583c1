"""`ncf compile vertex`."""

import os
import pathlib
from typing import Annotated

import typer

from pipeline.kfp.cli import ConfigFile, Dataset, Overrides, Platform


def compile_vertex(
    root: Annotated[str, typer.Option(help="Where artifacts go, gs://...")],
    serving: Annotated[str, typer.Option(help="Where models are pushed, gs://...")],
    image: Annotated[str, typer.Option(help="Best by digest.")],
    output: Annotated[
        pathlib.Path, typer.Option("--output", "-o", help="The file to write.")
    ] = pathlib.Path("pipeline.json"),
    dataset: Dataset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    platform: Platform = None,
    trainer_image: Annotated[
        str | None, typer.Option(help="Trainer's, where it is another one.")
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="What Trainer runs on: cpu or gpu.")
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(help="T4, L4, A100, A100-80GB or H100.")
    ] = None,
    gpus: Annotated[int | None, typer.Option(help="How many.")] = None,
) -> None:
    """Compile the pipeline for Vertex AI Pipelines; nothing else is asked."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline import config as config_module
    from pipeline.kfp import config as kfp_config

    try:
        settings = config_module.load(config, overrides or (), dataset=dataset)
        chosen = kfp_config.load(
            platform,
            image=image,
            trainer_image=trainer_image,
            serving=serving,
            volumes=(),
            profile=profile,
            gpu=gpu,
            gpus=gpus,
        )
        from pipeline.vertex import compile as compiler  # Late: TFX takes seconds.

        text = compiler.compile_pipeline(settings, chosen, root=root)
    except ValueError as error:
        typer.secho(str(error), fg="red", err=True)
        raise typer.Exit(2) from None
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    typer.echo(output)
