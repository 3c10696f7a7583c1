"""`ncf recommend` and `ncf similar`."""

import csv
import json
import os
import pathlib
import shlex
import sys
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipeline.messages import refuse, say
from pipeline.options import AsJson
from pipeline.serving.cli import Out, serving_folder
from pipeline.serving.errors import RequestError
from pipeline.text import counted, printable

if TYPE_CHECKING:
    from pipeline.serving.audience import UserBlock
    from pipeline.serving.loaded_model import LoadedModel
    from pipeline.serving.titles import Titles

K = Annotated[int, typer.Option("-k", help="How many items.", min=1, max=100_000)]
TitlesFile = Annotated[
    pathlib.Path | None,
    typer.Option(help="A CSV of item_id,title.", show_default="the run's titles.csv"),
]


def recommend(
    user: Annotated[
        list[str] | None, typer.Option(help="A raw user id; may be repeated.")
    ] = None,
    item: Annotated[
        list[str] | None,
        typer.Option(help="An item of a basket; may be repeated."),
    ] = None,
    k: K = 10,
    out: Out = None,
    titles: TitlesFile = None,
    as_json: AsJson = False,
    as_csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, and nothing else.")
    ] = False,
    everybody: Annotated[
        bool, typer.Option("--all", help="All users of the model; needs --output.")
    ] = False,
    users_file: Annotated[
        pathlib.Path | None,
        typer.Option(
            help="Users of a .txt, .csv, .jsonl or .parquet file, the last two with "
            "baskets if they have `item_ids`; needs --output."
        ),
    ] = None,
    output: Annotated[
        str | None,
        typer.Option(help="A .parquet, .csv or .jsonl file, gs:// too."),
    ] = None,
    shards: Annotated[int, typer.Option(help="Files to write into.", min=1)] = 1,
) -> None:
    """Print the pushed model's best items for users or a basket, or write them all."""
    given = [bool(user), bool(item), everybody, users_file is not None]
    try:
        if sum(given) != 1:
            raise ValueError("Give one of --user, --item, --all and --users-file.")
        if (everybody or users_file is not None) and output is None:
            raise ValueError("--all and --users-file need --output FILE.")
        model, names = _load(out, titles)
        if output is not None:
            blocks = _blocks(model, user, item, users_file)
            _write(model, names, blocks, output, k=k, shards=shards, known=everybody)
            return
        lists = _lists(model, user, item, k)
    except (ValueError, OSError, RequestError) as error:
        refuse(error)
    kind, keys = ("user", user) if user else ("basket", [", ".join(item or ())])
    _tell(model, user or (), item or ())
    for key, (ids, _) in zip(keys, lists, strict=True):
        if not any(ids):
            whom = f"user {key}" if user else "the basket"  # A basket may be long.
            say(f"No items are left for {whom}.", "yellow")
    _print(kind, keys, lists, names, as_json=as_json, as_csv=as_csv)


def similar(
    item: Annotated[list[str], typer.Option(help="A raw item id; may be repeated.")],
    k: K = 10,
    out: Out = None,
    titles: TitlesFile = None,
    as_json: AsJson = False,
) -> None:
    """Print the items that the pushed model scores like an item."""
    try:
        model, names = _load(out, titles)
        lists = [*zip(*model.similar_items(item, k), strict=True)]
    except (ValueError, OSError, RequestError) as error:
        refuse(error)
    _print("item", item, lists, names, as_json=as_json)
    from pipeline.serving import provenance

    for sentence in provenance.unknown_items(model, item):
        say(sentence, "yellow")


def _load(
    out: pathlib.Path | None, titles: pathlib.Path | None
) -> tuple["LoadedModel", "Titles"]:
    """Returns the model of the newest version, and the titles."""
    from ncf_model.serving import versions
    from pipeline.serving import loaded_model
    from pipeline.serving.titles import Titles

    if titles is not None and not titles.is_file():
        raise ValueError(f"There is no file {titles}.")
    serving = serving_folder(None, out)
    newest = versions.newest(serving)
    if newest is None:
        folder = pathlib.Path(serving).parent
        command = shlex.join(["ncf", "runs", "--out", str(folder)])
        raise ValueError(
            f"No pushed model under {serving}. `{command}` lists the runs there; "
            "the report of a run says why its model was not blessed."
        )
    names = Titles(titles or loaded_model.default_titles(serving))
    return loaded_model.LoadedModel(newest.number, newest.path), names


def _tell(model: "LoadedModel", users: Sequence[str], items: Sequence[str]) -> None:
    """Prints on standard error which model answers, and which users, items it lacks."""
    from rich.console import Console

    from pipeline.serving import provenance

    console = Console(stderr=True, highlight=False, markup=False)
    heading = printable(provenance.heading(model.folder))
    console.print(heading, style="dim", soft_wrap=True)
    odd = [provenance.refused_since(model.folder)]
    odd += provenance.unknown_users(model, users)
    odd += provenance.unknown_items(model, items)
    for sentence in filter(None, odd):
        console.print(printable(sentence), style="yellow", soft_wrap=True)


def _lists(
    model: "LoadedModel", user: Sequence[str] | None, item: Sequence[str] | None, k: int
) -> list[tuple[Any, Any]]:
    ids, scores = (
        model.recommend(user, k) if user else model.recommend_for_items([item or ()], k)
    )
    return [*zip(ids, scores, strict=True)]


def _blocks(
    model: "LoadedModel",
    user: Sequence[str] | None,
    item: Sequence[str] | None,
    users_file: pathlib.Path | None,
) -> Iterator["UserBlock"]:
    from pipeline.serving import audience, bulk

    if item:
        return iter([audience.UserBlock(["basket"], [item])])
    if users_file is not None:
        return audience.of_file(users_file, bulk.BLOCK)
    return audience.of_users(user or model.each_user(), bulk.BLOCK)


def _write(
    model: "LoadedModel",
    titles: "Titles",
    blocks: Iterator["UserBlock"],
    output: str,
    *,
    k: int,
    shards: int,
    known: bool,
) -> None:
    from pipeline.serving import bulk

    started = time.monotonic()
    done = bulk.write(
        model, blocks, output, k=k, title_of=titles.get, shards=shards, known=known
    )
    seconds = time.monotonic() - started
    files = done.files[0] if len(done.files) == 1 else f"{len(done.files)} files"
    typer.echo(
        f"{counted(done.rows, 'row')} of {counted(done.users, 'user')} "
        f"in {seconds:.1f} s into {files}"
    )
    if done.unknown:
        say(
            f"Not in the training data: {counted(done.unknown, 'user')}, who got "
            "the most popular items.",
            "yellow",
        )


def _print(
    kind: str,
    keys: Sequence[str],
    lists: Sequence[Any],
    titles: "Titles",
    *,
    as_json: bool,
    as_csv: bool = False,
) -> None:
    rows = [
        [
            {"item_id": name, "title": titles.get(name), "score": score}
            for name, score in zip(map(_text, ids), scores.tolist(), strict=True)
            if name
        ]
        for ids, scores in lists
    ]
    if as_json:
        found = [{kind: k, "items": r} for k, r in zip(keys, rows, strict=True)]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=1))
        return
    if as_csv:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow((kind, "rank", "item_id", "title", "score"))
        for key, items in zip(keys, rows, strict=True):
            writer.writerows(
                (key, rank, *row.values()) for rank, row in enumerate(items, start=1)
            )
        return
    from rich.console import Console
    from rich.table import Table

    # In a file or a pipe the table is wide enough for any title.
    console = Console(
        highlight=False, markup=False, width=None if os.isatty(1) else 200
    )
    for key, items in zip(keys, rows, strict=True):
        if not items:  # A message has said that no items are left.
            continue
        title = f"{kind} {key}  {titles.get(key) if kind == 'item' else ''}".rstrip()
        table = Table(title=printable(title), title_justify="left")
        scores = [f"{row['score']:.4f}" for row in items]
        tells = len(set(scores)) > 1 or len(scores) == 1
        for name in ("", "item", "title", *(["score"] if tells else [])):
            table.add_column(name, justify="left" if name == "title" else "right")
        for place, (row, score) in enumerate(zip(items, scores, strict=True), start=1):
            shown = (printable(row["item_id"]), printable(row["title"]))
            table.add_row(str(place), *shown, *([score] if tells else []))
        console.print(table)


def _text(value: bytes) -> str:
    return value.decode(errors="replace")
