"""Holds out whole users, to measure how well the model serves users it does not know.

Nothing of these users is trained on. Each has one list: the basket is what the user
took before, and the held-out item is to be found in the whole catalogue.
"""

import hashlib

import numpy as np
import pyarrow as pa

from components.negative_sampling import records, splitting
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from ncf_model import features
from ncf_model.sampling.ragged import Ragged


def separate(users: Users, plan: Plan) -> tuple[Users, Users]:
    """Returns the users who train, and those who are held out.

    Who is held out depends on the seed and the raw id alone.
    """
    fraction = plan.config.held_out_users
    if not fraction:
        return users, users.take(np.empty(0, np.int64))
    key = plan.seed.to_bytes(8, "little")
    digests = [
        hashlib.blake2b(user_id, digest_size=8, key=key, person=b"held out").digest()
        for user_id in users.user_ids
    ]
    drawn = np.frombuffer(b"".join(digests), "<u8") < fraction * 2.0**64
    return users.take(np.flatnonzero(~drawn)), users.take(np.flatnonzero(drawn))


def lists(
    users: Users, *, plan: Plan, vocabulary: pa.Array
) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Returns a record per list, and the counts of the batch by name.

    A user with nothing to hold out, or with nothing before it, has no list. With the
    split `temporal` the first of the held-out items is the one to find.

    Args:
        users: users who are held out.
        plan: how each user's interactions are split.
        vocabulary: [N] large_binary, the raw id of each index.
    """
    split = splitting.split(users.items, users.timestamps, plan.config)
    taken = split.positives.then(split.validation)
    index = np.flatnonzero((split.evaluation.sizes > 0) & (taken.sizes > 0))
    baskets = taken.take(index)
    items = split.evaluation.values[split.evaluation.offsets[index]]
    columns = {
        features.USER_ID: records.single_bytes([users.user_ids[i] for i in index]),
        features.CANDIDATE_IDS: records.raw_ids(
            Ragged(items, np.arange(len(items) + 1)), vocabulary
        ),
        features.SEEN_IDS: records.raw_ids(baskets, vocabulary),
    }
    # They count as users of the data, too: ShrinkGuard compares those between runs.
    count = len(users.user_ids)
    return records.record_batch(columns), {
        features.HELD_OUT_USERS: count,
        "num_users": count,
    }
