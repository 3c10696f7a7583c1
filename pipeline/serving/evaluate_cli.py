"""`ncf evaluate`: a served model, judged on what happened since."""

import json
import pathlib
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from pipeline.messages import refuse
from pipeline.options import ConfigFile, Overrides
from pipeline.serving.cli import Out, serving_folder

_HIT_RATE, _NDCG = "hit_rate@10", "ndcg@10"


def evaluate(
    dataset: Annotated[
        str, typer.Option(help="Interactions since: a file, a folder, or spans.")
    ],
    model: Annotated[
        str, typer.Option(help="A version's number, `latest`, or a folder.")
    ] = "latest",
    out: Out = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    negatives: Annotated[
        int, typer.Option(min=1, help="Other items in a list; 99 as in the run.")
    ] = 99,
    data_dir: Annotated[
        pathlib.Path | None,
        typer.Option(envvar="DATA_DIR", help="A folder of data sets."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
) -> None:
    """Judge a served model on what happened since it was trained."""
    from pipeline import config as config_module
    from pipeline import local_runner

    try:
        settings = config_module.load(config, overrides or (), dataset=dataset)
        found = local_runner.find_data(settings, data_dir)
        from pipeline.serving import since  # Late: it brings TensorFlow.

        serving = "" if pathlib.Path(model).is_dir() else serving_folder(None, out)
        folder, record = since.folder_of(serving, model)
        told = since.judge(
            folder,
            str(found.path),
            settings.data.reading(),
            pattern=found.pattern,
            negatives=negatives,
            seed=settings.seed,
        )
    except ValueError as error:
        refuse(error)
    metrics = record.get("metrics") or {}
    told = {
        "model": folder,
        "pushed_at": record.get("pushed_at", ""),
        "dataset": dataset,
        "when_pushed": {n: metrics[n] for n in (_HIT_RATE, _NDCG) if n in metrics},
        **told,
    }
    if as_json:
        typer.echo(json.dumps(told, indent=2))
    else:
        _print(told)


def _print(told: Mapping[str, Any]) -> None:
    typer.echo(
        f"{told['model']} on {told['lists']:,} interactions since, of "
        f"{told['users']:,} users ({told['new_users']:,} new); "
        f"{told['new_items']:,} new items, {told['already_known']:,} pairs it knew."
    )
    if told["when_pushed"]:
        typer.echo(
            "When it was pushed, on other lists: "
            + ", ".join(f"{k} {v:.4f}" for k, v in told["when_pushed"].items())
        )
    typer.echo(f"{'':24}{'lists':>8}  HR@10           NDCG@10         popularity HR@10")
    rows = [("all", told, told["baseline"])]
    rows += [(name, row, {}) for name, row in told["groups"].items()]
    rows += [(row["from"], row, row["baseline"]) for row in told["by_time"]]
    for name, row, baseline in rows:
        figures = "  ".join(
            f"{row['metrics'][m]:.4f} ± {row['errors'][m]:.4f}"
            for m in (_HIT_RATE, _NDCG)
        )
        beside = f"{baseline[_HIT_RATE]:.4f}" if baseline else ""
        typer.echo(f"{name:24}{row['lists']:>8}  {figures}  {beside}".rstrip())
