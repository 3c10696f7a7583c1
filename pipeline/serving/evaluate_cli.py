"""`ncf evaluate`: evaluates a served model on what happened since it was trained."""

import json
import pathlib
from collections.abc import Mapping
from typing import Annotated

import typer

from ncf_model.evaluation.served_result import Served, ServedRow
from pipeline.messages import refuse
from pipeline.options import AsJson, ConfigFile, Overrides
from pipeline.serving.cli import Out, serving_folder
from pipeline.text import counted

_HIT_RATE, _NDCG = "hit_rate@10", "ndcg@10"


def evaluate(
    dataset: Annotated[
        str, typer.Option(help="New interactions: a file, a folder, or spans.")
    ],
    model: Annotated[
        str, typer.Option(help="A version's number, `latest`, or a folder.")
    ] = "latest",
    out: Out = None,
    config: ConfigFile = None,
    overrides: Overrides = None,
    negatives: Annotated[
        int, typer.Option(min=1, help="Items that each new one is ranked among.")
    ] = 99,
    data_dir: Annotated[
        pathlib.Path | None,
        typer.Option(envvar="DATA_DIR", help="A folder of data sets."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate a served model on what happened since it was trained."""
    from pipeline import config as config_module
    from pipeline import inputs

    try:
        settings = config_module.load(config, overrides or (), dataset=dataset)
        found = inputs.find_data(settings, data_dir)
        from pipeline.serving import evaluate as rule  # Late: this imports TensorFlow.

        serving = "" if pathlib.Path(model).is_dir() else serving_folder(None, out)
        folder, record = rule.folder_of(serving, model)
        since = rule.evaluate(
            folder,
            str(found.path),
            settings.data.reading(),
            pattern=found.pattern,
            negatives=negatives,
            seed=settings.seed,
        )
    except ValueError as error:
        refuse(error)
    figures = {name: record.metrics.get(name) for name in (_HIT_RATE, _NDCG)}
    when_pushed = {n: value for n, value in figures.items() if value is not None}
    if as_json:
        told = {
            "model": folder,
            "pushed_at": record.pushed_at,
            "dataset": dataset,
            "when_pushed": when_pushed,
            **since.model_dump(mode="json", by_alias=True, exclude_unset=True),
        }
        typer.echo(json.dumps(told, indent=2))
    else:
        _print(since, when_pushed)


def _print(since: Served, when_pushed: Mapping[str, float]) -> None:
    typer.echo(
        f"{since.model} on {counted(since.lists, 'interaction')} since, of "
        f"{counted(since.users, 'user')} ({since.new_users:,} new); "
        f"{counted(since.new_items, 'new item')}, "
        f"{counted(since.already_known, 'pair')} it knew."
    )
    if when_pushed:
        typer.echo(
            "When it was pushed, on other lists: "
            + ", ".join(f"{k} {v:.4f}" for k, v in when_pushed.items())
        )
    typer.echo(f"{'':20}{'lists':>9}  HR@10           NDCG@10         popularity HR@10")
    rows: list[tuple[str, ServedRow]] = [("all", since), *since.groups.items()]
    rows += [(row.first, row) for row in since.by_time]
    for name, row in rows:
        figures = "  ".join(
            f"{row.metrics[m]:.4f} ± {row.errors[m]:.4f}" for m in (_HIT_RATE, _NDCG)
        )
        beside = f"{row.baseline[_HIT_RATE]:.4f}" if row.baseline else ""
        typer.echo(f"{name:20}{row.lists:>9}  {figures}  {beside}".rstrip())
