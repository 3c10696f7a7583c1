"""`ncf compile serving`."""

import pathlib
from typing import Annotated

import typer

from pipeline.messages import refuse


def compile_serving(
    model: Annotated[
        str,
        typer.Option(
            help="Folder of versions: gs://..., s3://... or pvc://claim/path."
        ),
    ],
    output: Annotated[
        pathlib.Path, typer.Option("--output", "-o", help="The file to write.")
    ] = pathlib.Path("serving.yaml"),
    form: Annotated[
        str, typer.Option(help="deployment (TensorFlow Serving) or kserve.")
    ] = "deployment",
    name: Annotated[str, typer.Option(help="The name of all objects.")] = "ncf",
    namespace: Annotated[str | None, typer.Option(help="Their namespace.")] = None,
    image: Annotated[
        str | None,
        typer.Option(help="TensorFlow Serving's image, best by digest."),
    ] = None,
    gpu: Annotated[
        str | None, typer.Option(help="Serve on GPUs: T4, L4, A100, ...")
    ] = None,
    cpu: Annotated[float, typer.Option(help="Cores per pod.")] = 2,
    memory_gb: Annotated[float, typer.Option(help="Memory per pod.")] = 4,
    replicas: Annotated[int, typer.Option(help="The fewest pods.")] = 2,
    max_replicas: Annotated[int, typer.Option(help="The most pods.")] = 10,
    service_account: Annotated[
        str | None,
        typer.Option(help="The pods' service account, to read the bucket."),
    ] = None,
) -> None:
    """Make the manifests that serve the pushed model on a cluster."""
    from pipeline.serving import manifests

    try:
        config = manifests.ServingConfig(
            model=model,
            name=name,
            namespace=namespace,
            image=image,
            gpu=gpu,
            cpu=cpu,
            memory_gb=memory_gb,
            replicas=replicas,
            max_replicas=max_replicas,
            service_account=service_account,
        )
        forms = {
            "deployment": manifests.deployment,
            "kserve": manifests.inference_service,
        }
        if form not in forms:
            raise ValueError(f"`form` must be one of {sorted(forms)}; got {form!r}.")
        output.write_text(forms[form](config), encoding="utf-8")
    except (ValueError, OSError) as error:
        refuse(error)
    typer.echo(output)
