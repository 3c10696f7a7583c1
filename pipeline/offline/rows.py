"""Makes the training rows and evaluation lists of the pipeline as arrays."""

import dataclasses
from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.negative_sampling import held_out_users, ranked_lists, splitting
from components.negative_sampling.plan import Plan
from ncf_model import features
from ncf_model.sampling import negatives
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data
from pipeline.offline.indexed import Indexed

# How many candidates are in memory at a time.
_BLOCK = 1 << 22


@dataclasses.dataclass(frozen=True)
class ListBlock:
    """Lists with one held-out item each, all of the same width.

    Attributes:
        users: [L] int64, indices.
        items: [L, 1 + m] int64, the held-out item first. A list with fewer candidates
            is filled up with its held-out item.
        masked: [L, 1 + m] bool, True where an item only fills the list up.
    """

    users: np.ndarray
    items: np.ndarray
    masked: np.ndarray


def epoch_rows(found: Indexed, plan: Plan) -> data.EpochRows:
    """Returns the training rows of any epoch, in the trainer's order.

    Args:
        found: all users.
        plan: with `refit` the validation items are positives, too.

    Raises:
        ValueError: a user has every item, so that no negative exists.
    """
    users, _ = held_out_users.separate(found.users, plan)
    split = splitting.split(users.items, users.timestamps, plan.config)
    interactions = data.Interactions(
        user_ids=users.user_ids,
        user_index=users.user_index.astype(np.int32),
        positives=_lists(split.positives),
        validation_items=_lists(split.validation),
        eval_items=_lists(split.evaluation),
    )
    streaming = plan.config.model_copy(update={"mode": "streaming"})
    return data.EpochRows(
        interactions,
        streaming,
        num_items=plan.num_items,
        seed=plan.seed,
        refit=plan.refit,
    )


def lists(found: Indexed, plan: Plan, name: str) -> Iterator[ListBlock]:
    """Yields the lists of the split `validation` or `eval`, some at a time.

    The lists are in the order of the user indices. Users without training positives,
    and users who have seen everything, have no list.

    Args:
        found: all users.
        plan: how many negatives there are and how they are drawn.
        name: `features.VALIDATION_SPLIT` or `features.EVAL_SPLIT`.

    Raises:
        ValueError: `eval_negatives` is `all`, with which lists differ in width.
    """
    count = plan.config.eval_negatives
    if count == "all":
        raise ValueError(
            "`sampling.eval_negatives` must be a number, as all lists in a file are "
            "equally long; got 'all'. Set it to 99, or to 999 as in the official NCF."
        )
    users, _ = held_out_users.separate(found.users, plan)
    sizes = np.maximum(users.items.sizes, 1 + count)
    # These "raw ids" are the indices, so the lists have indices.
    indices = pa.array(np.arange(plan.num_items))
    no_counts = np.zeros(plan.num_items, np.int64)
    number = dict(zip(users.user_ids, users.user_index.tolist(), strict=True))
    for start, stop in negatives.blocks(sizes, size=_BLOCK, rows=len(sizes)):
        part = users.take(np.arange(start, stop))
        split = splitting.split(part.items, part.timestamps, plan.config)
        batch, _ = ranked_lists.lists(
            part, split, name, plan=plan, vocabulary=indices, counts=no_counts
        )
        owners = batch.column(features.USER_ID).flatten().to_pylist()
        column = batch.column(features.CANDIDATE_IDS)
        candidates = Ragged(column.flatten().to_numpy(), column.offsets.to_numpy())
        index = np.array([number[owner] for owner in owners], np.int64)
        yield _filled(index, candidates, width=1 + count)


def _filled(users: np.ndarray, candidates: Ragged, *, width: int) -> ListBlock:
    held_out = candidates.values[candidates.offsets[:-1]]
    counts = np.arange(width) < candidates.sizes[:, None]
    items = np.repeat(held_out[:, None], width, axis=1)
    items[counts] = candidates.values
    return ListBlock(users, items, ~counts)


def _lists(rows: Ragged) -> Ragged:
    return Ragged(rows.values.astype(np.int32), rows.offsets)
