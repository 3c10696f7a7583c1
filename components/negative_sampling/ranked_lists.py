"""Makes the records of `validation` and `eval`: a held-out item among unseen ones."""

import dataclasses

import numpy as np
import pyarrow as pa

from components.negative_sampling import records
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from components.negative_sampling.splitting import Split
from ncf_model import features
from ncf_model.sampling import negatives as negatives_module
from ncf_model.sampling import random_words
from ncf_model.sampling.ragged import Ragged

_STREAMS = {
    features.VALIDATION_SPLIT: negatives_module.VALIDATION_STREAM,
    features.EVAL_SPLIT: negatives_module.EVAL_STREAM,
}

# Where evaluation ranks the whole catalogue, validation lists have so many negatives:
# evaluation is done once, validation after every epoch.
_VALIDATION_NEGATIVES = 99


@dataclasses.dataclass(frozen=True)
class HeldOut:
    """The held-out items, each of which gets a list.

    Attributes:
        items: [L] item indices.
        owners: [L], the place in the batch of the user who has the item.
        ordinals: [L], which of its user's held-out items the item is, from 0.
        seen: all items of each owner, the held-out one included.
        trains: items of each owner that `sampling.eval_with_replacement` does not draw:
            in `eval` all but the held-out item, because the validation item trains
            there; in `validation` the training positives.
    """

    items: np.ndarray
    owners: np.ndarray
    ordinals: np.ndarray
    seen: Ragged
    trains: Ragged

    def at(self, index: np.ndarray) -> "HeldOut":
        """Gathers some of the lists."""
        return HeldOut(
            self.items[index],
            self.owners[index],
            self.ordinals[index],
            self.seen.take(index),
            self.trains.take(index),
        )


def held_out(users: Users, split: Split, name: str) -> HeldOut:
    """Returns the items that the split `name` holds out, of users who train."""
    rows = split.evaluation if name == features.EVAL_SPLIT else split.validation
    rows = rows.where((split.positives.sizes > 0)[rows.row_of_value])
    owners = rows.row_of_value
    ordinals = np.arange(len(owners)) - rows.offsets[owners]
    seen = users.items.take(owners)
    if name == features.EVAL_SPLIT:
        trains = seen.where(seen.values != rows.values[seen.row_of_value])
    else:
        trains = split.positives.take(owners)
    return HeldOut(rows.values, owners, ordinals, seen, trains)


def lists(
    users: Users,
    split: Split,
    name: str,
    *,
    plan: Plan,
    vocabulary: pa.Array,
    counts: np.ndarray,
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Returns a record per list, and the counts of the batch by name.

    A user who has seen everything gets no list, because the first place among no
    negatives says nothing.

    Args:
        users: a batch of users; `plan.share_with_lists` of them get lists.
        split: the interactions of these users, by purpose.
        name: which lists to make, `validation` or `eval`.
        plan: how many negatives there are, and how they are drawn.
        vocabulary: [N] large_binary, the raw id of each index.
        counts: [N] int64, how often each item is a training positive of any user.
    """
    keys = negatives_module.user_keys(users.user_ids, plan.seed)
    chosen = _chosen(keys, plan.share_with_lists)
    held = held_out(users, split, name)
    held = held.at(np.flatnonzero(chosen[held.owners]))
    count = plan.config.eval_negatives
    if count == "all" and name == features.VALIDATION_SPLIT:
        count = _VALIDATION_NEGATIVES
    if count == "all":
        held = held.at(np.flatnonzero(held.seen.sizes < plan.num_items))
        candidates = _alone(held)
        extra, short = _whole_catalogue(held, vocabulary, counts), 0
    else:
        negatives = _negatives(
            held, keys[held.owners], plan, count=count, stream=_STREAMS[name]
        )
        kept = np.flatnonzero(negatives.sizes)
        held, negatives = held.at(kept), negatives.take(kept)
        candidates, extra = _alone(held).then(negatives), {}
        short = int((negatives.sizes < count).sum())
    owner_ids = [users.user_ids[owner] for owner in held.owners]
    columns = {
        features.USER_ID: records.single_bytes(owner_ids),
        features.CANDIDATE_IDS: records.raw_ids(candidates, vocabulary),
        features.CANDIDATE_POPULARITY: records.int_lists(
            Ragged(counts[candidates.values], candidates.offsets)
        ),
    } | extra
    found = {f"{name}_lists": len(held.items), "short_lists": short}
    if name == features.EVAL_SPLIT:
        evaluated = len(np.unique(held.owners))
        found["users_without_eval"] = int(chosen.sum()) - evaluated
        found["users_not_sampled"] = len(chosen) - int(chosen.sum())
    return records.record_batch(columns), found


def _chosen(keys: np.ndarray, share: float) -> np.ndarray:
    """Returns which users get lists, [U] bool: a part that the keys alone decide."""
    if share >= 1:
        return np.ones(len(keys), bool)
    words = random_words.starts(keys, epoch=0, stream=negatives_module.CHOICE_STREAM)
    return words < np.uint64(share * 2**64)


def _alone(held: HeldOut) -> Ragged:
    """Returns the held-out item of each list, as rows of one value."""
    return Ragged(held.items, np.arange(len(held.items) + 1))


def _negatives(
    held: HeldOut, keys: np.ndarray, plan: Plan, *, count: int, stream: int
) -> Ragged:
    """Draws the negatives of each list; `keys` has the keys of all lists' users."""
    with_replacement = plan.config.eval_with_replacement
    excluded = held.trains if with_replacement else held.seen
    values, offsets = negatives_module.evaluation_negatives(
        excluded.values,
        excluded.offsets,
        keys,
        num_items=plan.num_items,
        count=count,
        stream=stream,
        ordinals=held.ordinals,
        with_replacement=with_replacement,
    )
    negatives = Ragged(values, offsets)
    # With replacement the held-out item may be drawn, too; it is dropped here.
    return negatives.where(values != held.items[negatives.row_of_value])


def _whole_catalogue(
    held: HeldOut, vocabulary: pa.Array, counts: np.ndarray
) -> dict[str, pa.Array]:
    """Returns the columns that replace the candidates of a whole catalogue."""
    others = held.seen.where(held.seen.values != held.items[held.seen.row_of_value])
    own = counts[held.items]
    ascending = np.sort(counts)
    rivals = len(counts) - np.searchsorted(ascending, own, side="left")
    seen_rivals = counts[others.values] >= own[others.row_of_value]
    rivals -= np.bincount(others.row_of_value[seen_rivals], minlength=len(own))
    return {
        features.SEEN_IDS: records.raw_ids(others, vocabulary),
        features.POPULARITY_RANK: records.single_ints(rivals - 1),
    }
