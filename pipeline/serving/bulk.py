"""Writes the recommendations of many users to files, block by block."""

import dataclasses
from collections.abc import Callable, Iterable

import pyarrow as pa

from ncf_model.serving import list_tables
from pipeline.serving import list_files
from pipeline.serving.audience import UserBlock
from pipeline.serving.loaded_model import LoadedModel

# Users per call: enough to use the model well, few enough for little memory.
BLOCK = 512


@dataclasses.dataclass(frozen=True)
class Written:
    """How many users and rows were written, and into which files.

    `unknown` of the users were known to the model neither by id nor by a basket.
    """

    users: int
    unknown: int
    rows: int
    files: tuple[str, ...]


def write(
    model: LoadedModel,
    blocks: Iterable[UserBlock],
    output: str,
    *,
    k: int,
    title_of: Callable[[str], str],
    shards: int = 1,
    known: bool = False,
    progress: Callable[[int], None] = lambda users: None,
) -> Written:
    """Writes a row per item: `user_id`, `rank` (from 1), `item_id`, `score`, `title`.

    On a disk, files have temporary names until all of them are written.

    Args:
        model: the model that is asked.
        blocks: the users.
        output: a path or gs:// URI ending in .parquet, .csv or .jsonl.
        k: items per user; a user with fewer items left gets fewer rows.
        title_of: returns an item's title, "" without one.
        shards: how many files are written. Several are named like
            `name-00000-of-00008.parquet`.
        known: the users are the model's own; then its list of them, which may be long,
            is not kept in memory.
        progress: called with the number of users done.

    Raises:
        ValueError: the output's form is unknown, or a number is below 1.
        RequestError: the model lacks the signature.
    """
    if k < 1:
        raise ValueError(f"`k` must be >= 1; got {k}.")
    users = unknown = rows = 0
    with list_files.ListFiles(output, shards) as files:
        for number, block in enumerate(blocks):
            table = _table(model, block, k, title_of)
            files.write(number % shards, table)
            users += len(block.user_ids)
            # A model may list no users.
            if not known and block.baskets is None and model.user_ids:
                unknown += sum(not model.knows_user(u) for u in block.user_ids)
            rows += table.num_rows
            progress(len(block.user_ids))
    return Written(users, unknown, rows, tuple(files.names))


def _table(
    model: LoadedModel, block: UserBlock, k: int, title_of: Callable[[str], str]
) -> pa.Table:
    if block.baskets is None:
        ids, scores = model.recommend(block.user_ids, k)
    else:
        ids, scores = model.recommend_for_items(block.baskets, k)
    return list_tables.table(block.user_ids, ids, scores, title_of)
