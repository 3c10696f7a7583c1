"""The ranks that an exported model gives to held-out items, list by list."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from ncf_model.evaluation import ranking

_LISTS_AT_A_TIME = 64
SIGNATURE = "evaluate"
NO_RANK = -1


@dataclasses.dataclass(frozen=True)
class ModelRanks:
    """The ranks that a model gives to the held-out items of some lists.

    Attributes:
        ranks: [N] int64, 0 for the best place; `NO_RANK` where a score is not finite.
        candidates: [N] int64, how many were ranked, with the held-out item.
    """

    ranks: np.ndarray
    candidates: np.ndarray


def rank(model: Any, records: Sequence[bytes]) -> ModelRanks:
    """Returns the ranks of the held-out items of `records`.

    Args:
        model: a SavedModel of this project, loaded by `tf.saved_model.load`.
        records: serialized Examples of the split `eval`.
    """
    ranks = np.full(len(records), NO_RANK, np.int64)
    candidates = np.zeros(len(records), np.int64)
    score = model.signatures[SIGNATURE]
    for start in range(0, len(records), _LISTS_AT_A_TIME):
        batch = list(records[start : start + _LISTS_AT_A_TIME])
        scores = score(examples=tf.constant(batch))["scores"].numpy()
        for place, row in enumerate(scores, start):
            ranks[place], candidates[place] = _rank(row)
    return ModelRanks(ranks, candidates)


def _rank(scores: np.ndarray) -> tuple[int, int]:
    """Returns the rank of column 0 and the number of candidates of one list."""
    # Infinities mark items that are not ranked: padding, and what the user has.
    ranked = ~np.isinf(scores)
    ranked[0] = True
    finite = np.isfinite(scores[0]) and not np.isnan(scores).any()
    rank = int(ranking.ranks(scores[np.newaxis, ranked])[0]) if finite else NO_RANK
    return rank, int(ranked.sum())
