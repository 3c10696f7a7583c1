"""`ncf gc`, for the runs of this machine and for those of a cluster."""

import contextlib
import dataclasses
import datetime
import json
import pathlib
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.local.history_cli import Out
from pipeline.messages import refuse
from pipeline.options import AsJson

if TYPE_CHECKING:
    from pipeline.local.gc import Removal


def gc(
    out: Out = None,
    keep: Annotated[int, typer.Option(help="Latest runs whose artifacts stay.")] = 3,
    forget: Annotated[
        int | None,
        typer.Option(
            metavar="RUNS",
            help="Forget older runs, too, but for the latest so many: their rows in "
            "ML Metadata and their summaries.",
        ),
    ] = None,
    bucket: Annotated[
        str | None,
        typer.Option(help="A cluster's runs instead: the root, gs://bucket/runs."),
    ] = None,
    serving: Annotated[
        str | None,
        typer.Option(help="With --bucket: gs://... of what is served; its runs stay."),
    ] = None,
    delete: Annotated[
        bool, typer.Option("--delete", help="Remove them; without it they are listed.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """List, or remove, what no served model and no recent run needs."""
    if bucket is None and serving is not None:
        refuse(ValueError("`--serving` goes with `--bucket`; add it."))
    if bucket is not None:
        if out is not None or forget is not None:
            message = "With `--bucket` leave them out: `--out` and `--forget`."
            refuse(ValueError(message))
        _of_cluster(bucket, serving, keep=keep, delete=delete, as_json=as_json)
    else:
        _of_this_machine(out, keep, forget, delete=delete, as_json=as_json)


def _of_cluster(
    root: str, serving: str | None, *, keep: int, delete: bool, as_json: bool
) -> None:
    """Lists, or removes, the folders of old runs in a bucket."""
    from pipeline.cluster import bucket_gc, options

    with options.failures():
        bucket_gc.check_folders(root, serving)
        place = bucket_gc.Bucket()
        old = bucket_gc.old(
            place.runs(root),
            place.records(str(serving)),
            keep=keep,
            now=datetime.datetime.now(datetime.timezone.utc),
        )
        if delete:
            for run in old:
                place.remove(run)
    if as_json:
        rows = [{"folder": run.folder, "bytes": run.bytes} for run in old]
        typer.echo(json.dumps({"deleted": delete, "runs": rows}, indent=2))
        return
    _say([(run.bytes, run.folder) for run in old], "runs", delete)


def _of_this_machine(
    out: pathlib.Path | None,
    keep: int,
    forget: int | None,
    *,
    delete: bool,
    as_json: bool,
) -> None:
    """Lists, or removes, artifacts and logs in the folder of the runs."""
    from pipeline.local import runs

    try:
        folder = runs.folders(out)[-1]
        removals, forgotten = _clear(folder, keep, forget, delete)
    except (ValueError, OSError) as error:
        refuse(error)
    if as_json:
        told = {"deleted": delete, "executions_forgotten": forgotten}
        rows = [dataclasses.asdict(removal) for removal in removals]
        typer.echo(json.dumps({**told, "artifacts": rows}, indent=2))
        return
    _say([(one.bytes, one.folder) for one in removals], "artifacts and logs", delete)
    if forget is not None:
        verb = "Forgot" if delete else "Would forget"
        typer.echo(f"{verb} {forgotten} executions of runs before the last {forget}.")


def _clear(
    folder: pathlib.Path, keep: int, forget: int | None, delete: bool
) -> tuple[list["Removal"], int]:
    """Returns what is removed and how many executions; with `delete` removes them."""
    from pipeline.local import forget as forget_module
    from pipeline.local import gc as gc_module
    from pipeline.local import lock

    held = lock.alone(folder, doing="ncf gc") if delete else contextlib.nullcontext()
    with held:
        removals = gc_module.plan(folder, keep=keep)
        forgotten = 0
        if forget is not None:  # Checked before anything is removed.
            if forget >= 1:  # Runs that keep their artifacts keep their records, too.
                forget = max(forget, keep)
            gone = {one.id for one in removals if one.id is not None}
            forgotten = len(
                forget_module.executions(folder, history=forget, removed=gone)
            )
        if delete:
            gc_module.remove(folder, removals)
            if forget is not None:
                forgotten = forget_module.forget(folder, history=forget)
    return removals, forgotten


def _say(rows: list[tuple[int, str]], what: str, deleted: bool) -> None:
    """Prints size and place of everything that was, or would be, removed."""
    for size, folder in rows:
        typer.echo(f"{size / 1e6:10.1f} MB  {folder}")
    total = sum(size for size, _ in rows) / 1e6
    verb = "Removed" if deleted else "Would remove"
    typer.echo(f"{verb} {len(rows)} {what}, {total:.1f} MB.")
    if rows and not deleted:
        typer.echo("Nothing was changed; `--delete` removes them.")
