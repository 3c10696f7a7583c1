"""Makes the records of `train`: a user's positives and, if asked for, negatives."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.negative_sampling import records
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from components.negative_sampling.splitting import Split
from ncf_model import features
from ncf_model.sampling import negatives
from ncf_model.sampling.ragged import Ragged

# At most so many negatives, of 8 bytes each, are in one batch of records.
_LARGEST = 1 << 22


def batches(
    users: Users, split: Split, *, plan: Plan, weights: np.ndarray | None
) -> Iterator[pa.RecordBatch]:
    """Yields the records of a batch of users, few enough at a time to fit in memory.

    Args:
        users: a batch of users.
        split: the interactions of these users, by purpose.
        plan: whether negatives are written, and how many.
        weights: [num_items] int64, as `popularity_weights` returns them; None draws all
            items with equal probability.

    Raises:
        ValueError: a user who trains has seen every item.
    """
    everything = split.positives.then(split.validation)
    # Checked in the mode `streaming`, too: the trainer would notice in its refit only.
    _check_negatives_exist(users, everything, num_items=plan.num_items)
    phases = {features.NEGATIVES: split.positives}
    if plan.refit:
        phases[features.REFIT_NEGATIVES] = everything
    plain = _without_negatives(users, split)
    if plan.config.mode == "streaming":
        yield plain
        return
    samplers = _prepare(users, phases, plan, weights)
    drawn = users.items.sizes * (plan.epochs * plan.config.num_negatives * len(phases))
    for start, stop in negatives.blocks(drawn, size=_LARGEST, rows=len(drawn)):
        columns = dict(zip(plain.schema.names, plain[start:stop].columns, strict=True))
        for name, sampler in samplers.items():
            columns[name] = records.int_lists(_epochs(sampler, start, stop, plan))
        yield records.record_batch(columns)


def _without_negatives(users: Users, split: Split) -> pa.RecordBatch:
    return records.record_batch(
        {
            features.USER_ID: records.single_bytes(users.user_ids),
            features.USER_INDEX: records.single_ints(users.user_index),
            features.POSITIVES: records.int_lists(split.positives),
            features.VALIDATION_ITEMS: records.int_lists(split.validation),
            features.EVAL_ITEMS: records.int_lists(split.evaluation),
        }
    )


def _prepare(
    users: Users,
    phases: dict[str, Ragged],
    plan: Plan,
    weights: np.ndarray | None,
) -> dict[str, negatives.NegativeSampler]:
    keys = negatives.user_keys(users.user_ids, plan.seed)
    return {
        name: negatives.NegativeSampler(
            rows.values, rows.offsets, keys, num_items=plan.num_items, weights=weights
        )
        for name, rows in phases.items()
    }


def _epochs(
    sampler: negatives.NegativeSampler, start: int, stop: int, plan: Plan
) -> Ragged:
    """Draws all epochs of users [start, stop), user after user, epoch after epoch."""
    per_positive = plan.config.num_negatives
    sizes = sampler.sizes[start:stop] * per_positive
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    drawn = np.empty(plan.epochs * offsets[-1], np.int64)
    # The first epoch of a user begins after all epochs of the users before.
    place = np.arange(offsets[-1])
    place += np.repeat(offsets[:-1] * (plan.epochs - 1), sizes)
    step = np.repeat(sizes, sizes)
    for epoch in range(plan.epochs):
        drawn[place] = sampler.draw(
            epoch=epoch, num_negatives=per_positive, start=start, stop=stop
        )
        place += step
    return Ragged(drawn, offsets * plan.epochs)


def _check_negatives_exist(users: Users, rows: Ragged, *, num_items: int) -> None:
    full = np.flatnonzero(rows.sizes >= num_items)
    if len(full):
        user_id = users.user_ids[full[0]].decode(errors="replace")
        raise ValueError(
            f"No negative can be drawn for user {user_id!r}, who "
            f"trains on all {num_items} items there are. Drop such users with "
            "`data.max_interactions`, or add data: the catalogue must be larger."
        )
