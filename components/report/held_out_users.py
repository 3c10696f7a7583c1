"""How well the model serves users who were held out whole, by their baskets."""

from typing import Any

import numpy as np
import tensorflow as tf

from components.report import records
from components.report.document import HeldOutUsers
from ncf_model.documents import Figures
from ncf_model.evaluation import ranking

CUTOFF = 10
_AT_A_TIME = 256


def evaluate(
    model_folder: str, lists: str, baselines: dict[str, Figures]
) -> HeldOutUsers:
    """Returns HR@10 and NDCG@10 of what the model recommends for the baskets.

    Args:
        model_folder: of the SavedModel, which has the signature `recommend_for_items`.
        lists: pattern of the files of the split `held_out_users`.
        baselines: the figures of the baselines on the same lists.
    """
    found = list(records.baskets(lists))
    if not found:
        return HeldOutUsers()
    model = tf.saved_model.load(model_folder)
    ranks = np.concatenate(
        [
            _ranks(model, found[start : start + _AT_A_TIME])
            for start in range(0, len(found), _AT_A_TIME)
        ]
    )
    gains = ranking.gains(ranks, CUTOFF)
    return HeldOutUsers(
        lists=len(found),
        metrics={name: float(of.mean()) for name, of in gains.items()},
        errors={n: float(of.std() / len(of) ** 0.5) for n, of in gains.items()},
        baselines=baselines,
    )


def _ranks(model: Any, lists: list[tuple[bytes, list[bytes]]]) -> np.ndarray:
    """Returns the held-out items' ranks, [L]; from `CUTOFF` on they are no hits.

    One item more than counts is asked for, so that a tie counts against the model at
    the last place, too.
    """
    width = max(len(basket) for _, basket in lists)
    padded = [[*basket, *[b""] * (width - len(basket))] for _, basket in lists]
    answer = model.signatures["recommend_for_items"](
        item_ids=tf.constant(padded), k=tf.constant(CUTOFF + 1)
    )
    shown, scores = answer["item_ids"].numpy(), answer["scores"].numpy()
    own = shown == np.array([[item] for item, _ in lists], object)
    score = np.where(own, scores, np.inf).min(axis=1, keepdims=True)
    ahead = (scores >= score) & (shown != b"")
    return np.where(own.any(axis=1), ahead.sum(axis=1) - 1, CUTOFF)
