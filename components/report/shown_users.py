"""Chooses ten users whose recommendations the report shows, two badly served ones.

A figure over all users does not show what a single user gets to see.
"""

import statistics
from collections.abc import Sequence
from typing import Any

import tensorflow as tf

from components.report import records
from components.report.document import ShownItem, ShownUser
from ncf_model.evaluation import model_ranks

SHOWN = 10
BADLY_SERVED = 2
HISTORY = 10
RECOMMENDED = 10
# So many lists are ranked to find badly served users. More would take long where each
# list has the whole catalogue.
_SEARCHED = 512


def shown_users(model_folder: str, lists: str, interactions: str) -> list[ShownUser]:
    """Returns the users to show; [] if nothing was held out.

    Args:
        model_folder: of the SavedModel.
        lists: pattern of the files of the split `eval`.
        interactions: pattern of the files of InteractionsExampleGen.
    """
    found = records.some_lists(lists, _SEARCHED)
    if not found:
        return []
    model = tf.saved_model.load(model_folder)
    ranked = model_ranks.rank(model, [record for _, _, record in found])
    histories = records.read_histories(interactions, {row[0] for row in found}).items
    users = [
        ShownUser(
            user_id=_text(user_id),
            interactions=len(histories.get(user_id, ())),
            history=_before(histories.get(user_id, []), candidates[0]),
            held_out=ShownItem(item_id=_text(candidates[0])),
            rank=None if rank == model_ranks.NO_RANK else int(rank) + 1,
            candidates=int(length),
        )
        for (user_id, candidates, _), rank, length in zip(
            found, ranked.ranks, ranked.candidates, strict=True
        )
    ]
    chosen = choose(users)
    recommended = _recommend(model, [user.user_id for user in chosen])
    return [
        user.model_copy(update={"recommendations": items})
        for user, items in zip(chosen, recommended, strict=True)
    ]


def choose(users: Sequence[ShownUser]) -> list[ShownUser]:
    """Returns the first users, and after them those with the worst ranks.

    The worst ranks are looked for among users with at least the median number of
    interactions, because the model knows enough of these users.
    """
    if not users:
        return []
    enough = statistics.median(user.interactions for user in users)
    known = [user for user in users if user.rank and user.interactions >= enough]
    known.sort(key=lambda user: -(user.rank or 0) / max(user.candidates, 1))
    worst = [user for user in known if (user.rank or 0) > 1][:BADLY_SERVED]
    others = [user for user in users if user not in worst][: SHOWN - len(worst)]
    return [
        *others,
        *(user.model_copy(update={"badly_served": True}) for user in worst),
    ]


def _before(items: list[bytes], held_out: bytes) -> list[ShownItem]:
    """Returns the latest items that were not held out, the latest first."""
    known = [
        ShownItem(item_id=_text(item)) for item in reversed(items) if item != held_out
    ]
    return known[:HISTORY]


def _recommend(model: Any, user_ids: list[str]) -> list[list[ShownItem]]:
    answer = model.signatures["recommend"](
        user_id=tf.constant(user_ids), k=tf.constant(RECOMMENDED, tf.int32)
    )
    return [
        [
            ShownItem(item_id=_text(item), score=float(score))
            for item, score in zip(items, scores, strict=True)
            if item
        ]
        for items, scores in zip(
            answer["item_ids"].numpy(), answer["scores"].numpy(), strict=True
        )
    ]


def _text(raw: bytes) -> str:
    return raw.decode(errors="replace")
