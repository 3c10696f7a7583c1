"""`ncf compile vertex`, `ncf submit vertex` and `ncf schedule vertex`."""

import functools
import os
import pathlib
from typing import Annotated

import typer

from pipeline.cluster.options import (
    Cron,
    Dataset,
    Gpu,
    Gpus,
    Image,
    Output,
    Parameters,
    Platform,
    RunName,
    ScheduleAction,
    ScheduleName,
    Timeout,
    TrainerImage,
    Wait,
    check_wait,
    failures,
    note_caching,
    told,
    waiting,
    write,
)
from pipeline.options import ConfigFile, Overrides

Project = Annotated[
    str,
    typer.Option(
        envvar="GOOGLE_CLOUD_PROJECT", help="The id of the Google Cloud project."
    ),
]
Region = Annotated[
    str, typer.Option(envvar="GOOGLE_CLOUD_REGION", help="Such as us-central1.")
]
Endpoint = Annotated[
    str | None,
    typer.Option(
        envvar="VERTEX_ENDPOINT",
        help="URL of the API, such as a private one; by default the region's.",
    ),
]


def compile_vertex(
    root: Annotated[str, typer.Option(help="Where artifacts go, gs://...")],
    serving: Annotated[str, typer.Option(help="Where models are pushed, gs://...")],
    image: Image,
    output: Output = pathlib.Path("pipeline.json"),
    dataset: Dataset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    platform: Platform = None,
    trainer_image: TrainerImage = None,
    profile: Annotated[
        str | None,
        typer.Option(help="What Trainer runs on: cpu, gpu or, in a Training job, tpu."),
    ] = None,
    gpu: Gpu = None,
    gpus: Gpus = None,
) -> None:
    """Compile the pipeline for Vertex AI Pipelines; needs no cloud account."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline import config as config_module
    from pipeline import idle_settings
    from pipeline.cluster import config as cluster_config
    from pipeline.vertex import config as vertex_config

    with failures():
        settings = config_module.load(config, overrides or (), dataset=dataset)
        idle_settings.tell(settings)
        chosen = cluster_config.load(
            vertex_config.VertexConfig,
            platform,
            image=image,
            trainer_image=trainer_image,
            serving=serving,
            profile=profile,
            gpu=gpu,
            gpus=gpus,
        )
        # Importing TFX takes seconds, which other commands and errors need not wait
        # for.
        from pipeline.vertex import compile as compiler

        text = compiler.compile_pipeline(settings, chosen, root=root)
    write(output, text)
    note_caching(chosen)


def submit_vertex(
    project: Project,
    region: Region,
    file: Annotated[
        pathlib.Path, typer.Argument(help="The file that `ncf compile vertex` wrote.")
    ] = pathlib.Path("pipeline.json"),
    root: Annotated[
        str | None,
        typer.Option(help="Where artifacts go, gs://...; by default as compiled."),
    ] = None,
    param: Parameters = None,
    name: RunName = None,
    service_account: Annotated[
        str | None, typer.Option(help="The service account of the tasks.")
    ] = None,
    network: Annotated[
        str | None, typer.Option(help="projects/NUMBER/global/networks/NAME.")
    ] = None,
    caching: Annotated[
        bool | None,
        typer.Option(
            "--enable-caching/--disable-caching",
            help="Cache all tasks that can be cached, or none; by default as compiled.",
        ),
    ] = None,
    schedule: Cron = None,
    wait: Wait = False,
    timeout_s: Timeout = 86_400,
    cancel_on_interrupt: Annotated[
        bool,
        typer.Option(
            "--cancel-on-interrupt",
            help="Let Ctrl-C while waiting cancel the run; without it the run goes on.",
        ),
    ] = False,
    endpoint: Endpoint = None,
) -> None:
    """Submit a compiled pipeline to Vertex AI Pipelines."""
    from pipeline.vertex import package, submit

    with failures():
        # Checked before anything is sent, and before the client is imported.
        submit.check(
            package.read(file),
            root=root,
            parameters=param or (),
            network=network,
            cron=schedule,
        )
        check_wait(wait, schedule)
        vertex = submit.Vertex(project=project, region=region, endpoint=endpoint)
        made = vertex.submit(
            file,
            root=root,
            parameters=param or (),
            name=name,
            service_account=service_account,
            network=network,
            caching=caching,
            cron=schedule,
        )
        told(made)
        if wait:
            cancel = functools.partial(vertex.cancel, made)
            with waiting(made, cancel if cancel_on_interrupt else None):
                vertex.wait(made, timeout_s=timeout_s)


def schedule_vertex(
    project: Project,
    region: Region,
    action: ScheduleAction = "list",
    schedule: ScheduleName = None,
    endpoint: Endpoint = None,
) -> None:
    """List, pause, resume or delete schedules; `ncf submit vertex` makes them."""
    from pipeline.cluster import google_cloud, schedules
    from pipeline.vertex import schedules as vertex_schedules
    from pipeline.vertex import submit

    with failures():
        vertex = submit.Vertex(project=project, region=region, endpoint=endpoint)
        found = vertex_schedules.find(vertex)
        with google_cloud.explained(), google_cloud.quiet():
            said = schedules.act(
                action, schedule, found=found, deeds=vertex_schedules.deeds(vertex)
            )
    typer.echo(said)
