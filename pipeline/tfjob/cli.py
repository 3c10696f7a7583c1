"""`ncf compile tfjob`."""

import pathlib
from typing import Annotated

import typer

from pipeline.cluster.options import (
    Output,
    Platform,
    ServiceAccount,
    failures,
    write,
)
from pipeline.options import ConfigFile, Overrides


def compile_tfjob(
    examples: Annotated[
        str, typer.Option(help="Folder of NegativeSampling's output in a run.")
    ],
    transform_graph: Annotated[
        str, typer.Option(help="Folder of Transform's output transform_graph.")
    ],
    model: Annotated[
        str, typer.Option(help="Folder for the model: gs://..., or in a volume.")
    ],
    output: Output = pathlib.Path("tfjob.yaml"),
    name: Annotated[str, typer.Option(help="The name of the job.")] = "ncf-train",
    workers: Annotated[int, typer.Option(help="How many pods, 2 or more.")] = 2,
    config: ConfigFile = None,
    overrides: Overrides = None,
    platform: Platform = None,
    service_account: ServiceAccount = None,
) -> None:
    """Make the TFJob that trains on several machines of a cluster."""
    from pipeline import config as config_module
    from pipeline.kfp import config as kfp_config
    from pipeline.tfjob import manifest

    with failures():
        text = manifest.manifest(
            config_module.load(config, overrides or ()),
            kfp_config.load(platform),
            name=name,
            workers=workers,
            examples=examples,
            transform_graph=transform_graph,
            output=model,
            service_account=service_account,
        )
    write(output, text)
