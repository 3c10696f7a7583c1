"""Everybody's list to a file, a block of users at a time."""

import dataclasses
from collections.abc import Callable, Iterable

import pyarrow as pa

from ncf_model.serving import list_tables
from pipeline.serving import list_files
from pipeline.serving.audience import Block
from pipeline.serving.loaded_model import LoadedModel

# Users per call: enough for the model, few enough for flat memory.
BLOCK = 512


@dataclasses.dataclass(frozen=True)
class Written:
    """What was written: how many users and rows, into which files."""

    users: int
    rows: int
    files: tuple[str, ...]


def write(
    model: LoadedModel,
    blocks: Iterable[Block],
    output: str,
    *,
    k: int,
    title_of: Callable[[str], str],
    shards: int = 1,
    progress: Callable[[int], None] = lambda users: None,
) -> Written:
    """Writes `user_id`, `rank` (from 1), `item_id`, `score` and `title`, a row an item.

    Files appear under their names when all are written; until then, on a disk, they
    have others.

    Args:
        model: what is asked.
        blocks: for whom.
        output: a path or gs:// URI ending in .parquet, .csv or .jsonl.
        k: items per user; a user who has not that many left gets fewer rows.
        title_of: returns an item's title, "" without one.
        shards: into how many files; above 1 they are `name-00000-of-00008.parquet`.
        progress: told of users as they are done.

    Raises:
        ValueError: the output's form is unknown, or a number is below 1.
        RequestError: the model lacks the signature.
    """
    if k < 1:
        raise ValueError(f"`k` must be >= 1; got {k}.")
    users = rows = 0
    with list_files.Files(output, shards) as files:
        for number, block in enumerate(blocks):
            table = _table(model, block, k, title_of)
            files.write(number % shards, table)
            users += len(block.user_ids)
            rows += table.num_rows
            progress(len(block.user_ids))
    return Written(users, rows, tuple(files.names))


def _table(
    model: LoadedModel, block: Block, k: int, title_of: Callable[[str], str]
) -> pa.Table:
    if block.baskets is None:
        ids, scores = model.recommend(block.user_ids, k)
    else:
        ids, scores = model.recommend_for_items(block.baskets, k)
    return list_tables.table(block.user_ids, ids, scores, title_of)
