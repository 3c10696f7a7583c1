"""`ncf versions` and `ncf rollback`, which need neither TFX nor TensorFlow."""

import contextlib
import getpass
import json
import os
from typing import Annotated, Any

import typer

from pipeline.messages import refuse, say
from pipeline.options import AsJson
from pipeline.serving.cli import Folder, Out, serving_folder
from pipeline.text import printable

_METRICS = {"HR@10": "hit_rate@10", "NDCG@10": "ndcg@10"}


def list_versions(
    folder: Folder = None,
    out: Out = None,
    as_json: AsJson = False,
) -> None:
    """List the versions in the serving folder; the first one is served."""
    from ncf_model.serving import versions

    try:
        found = versions.look(serving_folder(folder, out))
    except ValueError as error:
        refuse(error)
    rows = [_row(version, found.versions[:1]) for version in found.versions]
    rows += [_row(version, ()) for version in found.broken]
    if as_json:
        typer.echo(json.dumps(rows, indent=2))
        return
    _print(rows)
    for name in found.foreign:
        say(f"{name} is no version; it is left alone.", "yellow")


def rollback(
    version: Annotated[
        int | None,
        typer.Argument(
            help="The number of the version.",
            show_default="the newest other model that was not taken back",
        ),
    ] = None,
    folder: Annotated[
        str | None, typer.Option(help="A folder of versions, gs:// too.")
    ] = None,
    out: Out = None,
    reason: Annotated[str, typer.Option(help="Noted with the new version.")] = "",
) -> None:
    """Make an older version the newest again, under a new number."""
    from ncf_model.serving import versions

    try:
        serving = serving_folder(folder, out)
        number = _before(serving) if version is None else version
        pushed = versions.restore(serving, number, **_origin(reason))
    except (ValueError, OSError) as error:
        refuse(error)
    if not pushed.is_new:
        typer.echo(f"{number} is what {pushed.version.number} is; nothing was done.")
        return
    typer.echo(f"{pushed.version.number} is served now: the model of {number}.")


def _before(serving: str) -> int:
    """Returns the newest version of another model that no rollback took back."""
    from ncf_model.serving import versions

    found = versions.look(serving).versions
    if not found:
        raise ValueError(f"There is no version in {serving}.")
    left_out = {_digest(found[0]), *versions.withdrawn(serving)}
    for version in found:
        if _digest(version) not in left_out:
            return version.number
    raise ValueError(
        f"Every model in {serving} is that of version {found[0].number} or was taken "
        "back by a rollback, so there is none to go back to. A model that was taken "
        "back is served again only if its version is named."
    )


def _digest(version: Any) -> str:
    from ncf_model.serving import folders

    return version.record.digest or folders.digest(version.path)


def _origin(reason: str) -> dict[str, Any]:
    who = os.environ.get("USER", "")
    with contextlib.suppress(Exception):  # In a container the user may have no name.
        who = getpass.getuser()
    return {"rolled_back_by": who} | ({"rollback_reason": reason} if reason else {})


def _row(version: Any, served: tuple[Any, ...]) -> dict[str, Any]:
    record = version.record
    return {
        "version": version.number,
        "served": version in served,
        "pushed_at": record.pushed_at,
        "dataset": record.dataset,
        "run": record.run or "",
        "metrics": dict(record.metrics),
        "restores": record.restores,
        "bytes": sum(record.files.values()) or _size(version.path),
        "path": version.path,
        "problem": version.problem,
    }


def _size(path: str) -> int:
    from ncf_model.serving import folders

    return sum(folders.sizes(path).values())


def _print(rows: list[dict[str, Any]]) -> None:
    from rich import box
    from rich.console import Console

    from pipeline import tables

    if not rows:
        typer.echo("There is no version yet.")
        return
    console = Console(highlight=False)
    table = tables.fitting(console.width, box.HEAVY_HEAD)
    for name in ("version", "pushed", "data", *_METRICS, "MB", ""):
        whole = name in ("version", "MB", *_METRICS)
        table.add_column(name, no_wrap=whole, overflow="fold")
    for row in rows:
        figures = [row["metrics"].get(name) for name in _METRICS.values()]
        notes = [
            "served" if row["served"] else "",
            f"the model of {row['restores']}" if row["restores"] else "",
            row["problem"],
        ]
        table.add_row(
            str(row["version"]),
            row["pushed_at"][:16].replace("T", " "),
            printable(row["dataset"]),
            *("" if figure is None else f"{figure:.4f}" for figure in figures),
            f"{row['bytes'] / 1e6:.1f}",
            ", ".join(note for note in notes if note),
        )
    console.print(table)
