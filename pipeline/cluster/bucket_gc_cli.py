"""`ncf gc --bucket`: the runs of a cluster."""

import datetime
import json

import typer

from pipeline.cluster import bucket_gc
from pipeline.local import removed
from pipeline.messages import refuse


def gc(
    root: str, serving: str | None, *, keep: int, delete: bool, as_json: bool
) -> None:
    """Lists, or removes, the folders of old runs."""
    try:
        bucket_gc.check_folders(root, serving)
        bucket = bucket_gc.Bucket()
        runs = bucket_gc.old(
            bucket.runs(root),
            bucket.records(str(serving)),
            keep=keep,
            now=datetime.datetime.now(datetime.timezone.utc),
        )
        if delete:
            for run in runs:
                bucket.remove(run)
    except ValueError as error:
        refuse(error)
    if as_json:
        rows = [{"folder": run.folder, "bytes": run.bytes} for run in runs]
        typer.echo(json.dumps({"deleted": delete, "runs": rows}, indent=2))
        return
    removed.say([(run.bytes, run.folder) for run in runs], "runs", delete)
