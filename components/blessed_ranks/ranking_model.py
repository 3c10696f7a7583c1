"""Ranks lists of raw ids by a SavedModel; free of TFX."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf
from absl import logging

from ncf_model import features
from ncf_model.evaluation import ranking

_SIGNATURE = "evaluate"
# How many logits are computed at a time; their hidden layers have to fit, too.
_LOGITS = 1 << 18
_LISTS = 512


class RankingModel:
    """Ranks held-out items by any model that was ever exported.

    The model is asked for the scores of candidates by their raw ids, in lists without
    `seen_ids`. So neither the model's own catalogue nor its order of items matters.
    """

    def __init__(self, path: str, catalogue: Sequence[bytes]) -> None:
        """Loads the model.

        Args:
            path: folder of the SavedModel.
            catalogue: raw ids of all items of the data, which are the candidates of a
                list with `seen_ids`.

        Raises:
            OSError, ValueError: the model cannot be loaded, or gives no scores.
        """
        self._loaded = tf.saved_model.load(path)
        signature = self._loaded.signatures.get(_SIGNATURE)
        if signature is None:
            raise ValueError(f"it has no signature `{_SIGNATURE}`.")
        takes, gives = signature.structured_input_signature[1], signature.output_shapes
        if list(takes) != ["examples"] or "scores" not in gives:
            raise ValueError(
                f"its signature `{_SIGNATURE}` takes {sorted(takes)} and returns "
                f"{sorted(gives)}; it must take `examples` and return `scores`."
            )
        self._evaluate = signature
        self._places = {item: place for place, item in enumerate(catalogue)}
        self._all = _example({features.CANDIDATE_IDS: catalogue})
        self.non_finite = 0
        self._check_scores(catalogue[:2])

    def _check_scores(self, items: Sequence[bytes]) -> None:
        """Raises ValueError unless a list has a score for each of its candidates."""
        asked = _example({features.USER_ID: [b""], features.CANDIDATE_IDS: items})
        scores = self._scores([asked])
        if scores.shape != (1, len(items)) or scores.dtype.kind != "f":
            raise ValueError(
                f"its signature `{_SIGNATURE}` must score each of the {len(items)} "
                f"candidates of a list; got {scores.dtype} of shape {scores.shape}."
            )

    @property
    def lists_at_a_time(self) -> int:
        """How many lists of the whole catalogue to rank at a time."""
        return int(np.clip(_LOGITS // max(len(self._places), 1), 1, _LISTS))

    def ranks(self, lists: Sequence[tf.train.Example]) -> np.ndarray:
        """Returns the held-out items' ranks, [B] int64; a tie counts against them.

        A list with a score that is NaN or infinite gets the last possible rank, and is
        counted in `non_finite`.

        Args:
            lists: of one kind: all of them have `seen_ids`, or none has.
        """
        if not len(lists):
            return np.empty(0, np.int64)
        if features.SEEN_IDS in lists[0].features.feature:
            return self._ranks_in_catalogue(lists)
        records = [example.SerializeToString() for example in lists]
        sizes = np.array([len(_bytes(x, features.CANDIDATE_IDS)) for x in lists])
        scores = self._scores(records)
        real = np.arange(scores.shape[1]) < sizes[:, np.newaxis]
        return self._rank(scores, real)

    def _ranks_in_catalogue(self, lists: Sequence[tf.train.Example]) -> np.ndarray:
        result = []
        for start in range(0, len(lists), self.lists_at_a_time):
            part = lists[start : start + self.lists_at_a_time]
            scores = self._scores([self._record(example) for example in part])
            ranked = np.zeros_like(scores, bool)
            ranked[:, : len(self._places)] = True
            own = np.empty(len(part), np.int64)
            for row, example in enumerate(part):
                (held_out,) = _bytes(example, features.CANDIDATE_IDS)
                own[row] = self._places.get(held_out, len(self._places))
                seen = (*_bytes(example, features.SEEN_IDS), held_out)
                ranked[row, [self._places[x] for x in seen if x in self._places]] = 0
            first = scores[np.arange(len(part)), own][:, np.newaxis]
            result.append(
                self._rank(
                    np.concatenate([first, scores], axis=1),
                    np.concatenate([np.ones_like(first, bool), ranked], axis=1),
                )
            )
        return np.concatenate(result)

    def _record(self, example: tf.train.Example) -> bytes:
        """Returns a list of all items, and the held-out one if it is not among them."""
        user = _example({features.USER_ID: _bytes(example, features.USER_ID)})
        (held_out,) = _bytes(example, features.CANDIDATE_IDS)
        if held_out in self._places:
            # Two serialized messages, one after the other, are read as both merged.
            return user + self._all
        items = [*self._places, held_out]
        return user + _example({features.CANDIDATE_IDS: items})

    def _scores(self, records: Sequence[bytes]) -> np.ndarray:
        return self._evaluate(examples=tf.constant(list(records)))["scores"].numpy()

    def _rank(self, scores: np.ndarray, real: np.ndarray) -> np.ndarray:
        """Returns ranks by `scores` [B, 1 + m]; scores count where `real` is True."""
        bad = (real & ~np.isfinite(scores)).any(axis=1)
        self.non_finite += int(bad.sum())
        counted = np.where(real & ~bad[:, np.newaxis], scores, -np.inf)
        counted[bad, 0] = 0  # Any finite score; the rank is replaced below.
        return np.where(bad, real.sum(axis=1) - 1, ranking.ranks(counted))


def load(
    path: str, catalogue: Sequence[bytes]
) -> tuple[RankingModel, None] | tuple[None, str]:
    """Returns the model, or None and why it cannot be asked."""
    try:
        return RankingModel(path, catalogue), None
    except Exception as error:  # A foreign model may raise anything.
        logging.warning("%s is not compared: %s", path, error)
        return None, (str(error).splitlines() or [type(error).__name__])[0]


def _example(values: dict[str, Sequence[bytes]]) -> bytes:
    example = tf.train.Example()
    for name, items in values.items():
        example.features.feature[name].bytes_list.value.extend(items)
    return bytes(example.SerializeToString())


def _bytes(example: tf.train.Example, name: str) -> list[bytes]:
    return list(example.features.feature[name].bytes_list.value)
