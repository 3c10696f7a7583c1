"""Records of the split `train`: what a user trains on and, if asked, against what."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from components.negative_sampling import records
from components.negative_sampling.plan import Plan
from components.negative_sampling.records import Users
from components.negative_sampling.splitting import Ragged, Split
from ncf_model import features
from ncf_model.sampling import negatives

# Negatives that one batch of records may hold, 8 bytes each.
_LARGEST = 1 << 22


def batches(
    users: Users, split: Split, *, plan: Plan, weights: np.ndarray | None
) -> Iterator[pa.RecordBatch]:
    """Yields the records of a batch of users, few enough at a time to fit in memory.

    Args:
        users: the batch.
        split: what of theirs trains.
        plan: whether negatives are written, and how many.
        weights: [num_items] int64 of `popularity_weights`; None is uniform.

    Raises:
        ValueError: a user who trains has seen every item.
    """
    everything = split.positives.then(split.validation)
    # In streaming mode too: the trainer would find out when it comes to the refit.
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
    """Draws all epochs of users [start, stop): each user's first, second and so on."""
    per_positive = plan.config.num_negatives
    sizes = sampler.sizes[start:stop] * per_positive
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    drawn = np.empty(plan.epochs * offsets[-1], np.int64)
    # A user's first epoch begins after all epochs of the users before.
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
        raise ValueError(
            f"No negative can be drawn for user {users.user_ids[full[0]]!r}, who "
            f"trains on all {num_items} items there are. Drop such users with "
            "`data.max_interactions`, or add data: the catalogue must be larger."
        )
