"""`ncf compile kfp`, `ncf submit kfp` and `ncf schedule kfp`."""

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
    ServiceAccount,
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

Host = Annotated[
    str, typer.Option(envvar="KFP_HOST", help="URL of the UI or of the API.")
]
Namespace = Annotated[
    str | None, typer.Option(help="The user's namespace, where users have profiles.")
]
Token = Annotated[str | None, typer.Option(envvar="KFP_TOKEN", help="A bearer token.")]


def compile_kfp(
    output: Output = pathlib.Path("pipeline.yaml"),
    dataset: Dataset = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    platform: Platform = None,
    image: Image = None,
    trainer_image: TrainerImage = None,
    serving: Annotated[
        str | None,
        typer.Option(help="Where models are pushed: gs://..., or in a mounted volume."),
    ] = None,
    profile: Annotated[
        str | None, typer.Option(help="What Trainer runs on: cpu, gpu or tpu.")
    ] = None,
    gpu: Gpu = None,
    gpus: Gpus = None,
    topology: Annotated[
        str | None, typer.Option(help="Topology of the TPU v5e: 1x1, 2x2 or 2x4.")
    ] = None,
    spot: Annotated[
        bool | None, typer.Option("--spot", help="Trainer on a spot machine.")
    ] = None,
) -> None:
    """Compile the pipeline for Kubeflow Pipelines 2.x; needs no cluster."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from pipeline import config as config_module
    from pipeline import idle_settings
    from pipeline.kfp import config as kfp_config

    with failures():
        settings = config_module.load(config, overrides or (), dataset=dataset)
        idle_settings.tell(settings)
        kfp = kfp_config.load(
            platform,
            image=image,
            trainer_image=trainer_image,
            serving=serving,
            profile=profile,
            gpu=gpu,
            gpus=gpus,
            topology=topology,
            spot=spot,
        )
        # Importing TFX takes seconds, which other commands and errors need not wait
        # for.
        from pipeline.kfp import compile as compiler

        text = compiler.compile_pipeline(settings, kfp)
    write(output, text)
    note_caching(kfp)


def submit_kfp(
    host: Host,
    file: Annotated[
        pathlib.Path, typer.Argument(help="The file that `ncf compile kfp` wrote.")
    ] = pathlib.Path("pipeline.yaml"),
    param: Parameters = None,
    experiment: Annotated[
        str, typer.Option(help="The group of the runs in the UI.")
    ] = "ncf",
    name: RunName = None,
    root: Annotated[
        str | None,
        typer.Option(help="Where artifacts go; by default the server's own place."),
    ] = None,
    namespace: Namespace = None,
    service_account: ServiceAccount = None,
    google_account: Annotated[
        str | None,
        typer.Option(
            help="Google service account that the pods act as; its rights to the "
            "buckets are then checked first."
        ),
    ] = None,
    token: Token = None,
    cron: Cron = None,
    wait: Wait = False,
    timeout_s: Timeout = 86_400,
) -> None:
    """Submit a compiled pipeline to Kubeflow Pipelines."""
    from pipeline.cluster import buckets, local_copies, package
    from pipeline.kfp import submit

    with failures():
        # Checked before anything is sent, and before the client is imported.
        spec = package.read(file)[0]
        needs = package.needs(spec, package.parse_parameters(spec, param or ()))
        if cron is not None:
            submit.check_cron(cron)
        check_wait(wait, cron)
        if root is not None and not root.startswith(tuple(local_copies.FOLDERS)):
            raise ValueError(
                "`--root` must be gs://bucket/folder, or s3:// or minio://; got "
                f"{root!r}."
            )
        if root and root.startswith("gs://"):
            buckets.check_root(root)
            needs[root] = buckets.WRITE
        for note in buckets.check_from_here(needs, runs_as=google_account):
            typer.secho(note, err=True)
        cluster = submit.Cluster(host, namespace=namespace, token=token)
        made = cluster.submit(
            file,
            parameters=param or (),
            experiment=experiment,
            name=name,
            pipeline_root=root,
            service_account=service_account,
            cron=cron,
        )
        told(made)
        if wait:
            with waiting(made):
                cluster.wait(made, timeout_s=timeout_s)


def schedule_kfp(
    host: Host,
    action: ScheduleAction = "list",
    schedule: ScheduleName = None,
    namespace: Namespace = None,
    token: Token = None,
) -> None:
    """List, pause, resume or delete schedules; `ncf submit kfp --cron` makes them."""
    from pipeline.cluster import schedules
    from pipeline.kfp import schedules as kfp_schedules
    from pipeline.kfp import submit

    with failures():
        cluster = submit.Cluster(host, namespace=namespace, token=token)
        found = kfp_schedules.find(cluster)
        with cluster.explained():
            said = schedules.act(
                action, schedule, found=found, deeds=kfp_schedules.deeds(cluster)
            )
    typer.echo(said)
