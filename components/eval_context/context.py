"""What is known beside a list of candidates; free of TFX."""

from collections.abc import Iterator, Mapping
from typing import TypeAlias

import numpy as np
import scipy.sparse
from absl import logging

from components.eval_context import item_weights, slices
from ncf_model import features
from ncf_model.config import BaselinesConfig

# Scores of one baseline at a time: some 16 bytes each while they are ranked.
_SCORES = 1 << 24
_LISTS = 512

Weights: TypeAlias = scipy.sparse.spmatrix | np.ndarray


class Context:
    """Baselines and slices, learned from the training positives.

    Args:
        positives: [users, items] float32, 1 where the user has the item in training.
        users: raw user id -> row.
        items: raw item id -> column.
        config: which baselines.
    """

    def __init__(
        self,
        positives: scipy.sparse.csr_matrix,
        *,
        users: Mapping[bytes, int],
        items: Mapping[bytes, int],
        config: BaselinesConfig,
    ) -> None:
        self._positives = positives
        self._users, self._items = users, items
        self._weights = dict(_baselines(positives, config))
        counts = np.asarray(positives.sum(axis=0)).ravel()
        self._activity = slices.activity(np.diff(positives.indptr))
        self._popularity = slices.popularity(counts)
        self._trains = counts > 0

    @property
    def lists_at_a_time(self) -> int:
        """How many lists to ask for at a time: few enough that all scores fit."""
        return int(np.clip(_SCORES // max(len(self._items), 1), 1, _LISTS))

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines that were computed."""
        return [name for name, weights in self._weights.items() if weights is not None]

    def scores(
        self, user_ids: list[bytes], candidates: list[list[bytes]]
    ) -> dict[str, list[np.ndarray]]:
        """Returns, by feature name, the scores of each list's candidates.

        A baseline that was left out scores NaN, so that its figures are none.

        Args:
            user_ids: [B] raw.
            candidates: per list the raw ids; an item that is in no vocabulary scores 0.
        """
        columns = self._columns(candidates)
        return {
            features.CANDIDATE_SCORES.format(name): [
                np.where(column >= 0, row[column], 0).astype(np.float32)
                for row, column in zip(dense, columns, strict=True)
            ]
            for name, dense in self._score_all(user_ids)
        }

    def ranks(
        self, user_ids: list[bytes], held_out: list[bytes], seen: list[list[bytes]]
    ) -> dict[str, np.ndarray]:
        """Returns, by feature name, the held-out items' ranks in the whole catalogue.

        A rank, int64, is how many items that are neither seen nor held out score at
        least as high. A baseline that was left out has rank -1, so that its figures
        are none.

        Args:
            user_ids: [B] raw.
            held_out: [B] raw; one that is in no vocabulary scores 0.
            seen: per user the raw ids that are not to be ranked.
        """
        lists = np.arange(len(user_ids))
        own_column = np.concatenate(self._columns([[item] for item in held_out]))
        left_out = self._columns(
            [[item, *items] for item, items in zip(held_out, seen, strict=True)]
        )
        row = np.repeat(lists, [len(items) for items in left_out])
        column = np.concatenate(left_out)
        row, column = row[column >= 0], column[column >= 0]
        result = {}
        for name, dense in self._score_all(user_ids):
            own = np.where(own_column >= 0, dense[lists, own_column], 0)
            rivals = dense >= own[:, np.newaxis]
            rivals[row, column] = False
            rank = np.count_nonzero(rivals, axis=1)
            result[features.BASELINE_RANK.format(name)] = np.where(
                np.isnan(dense[:, 0]), -1, rank
            )
        return result

    def _score_all(self, user_ids: list[bytes]) -> Iterator[tuple[str, np.ndarray]]:
        """Yields, by baseline, the scores of all items, [B, items]."""
        rows = self._positives[[self._users[user_id] for user_id in user_ids]]
        for name, weights in self._weights.items():
            yield name, _dense(rows, weights)

    def _columns(self, items: list[list[bytes]]) -> list[np.ndarray]:
        """Returns each list's columns, -1 for an id that is in no vocabulary."""
        return [
            np.array([self._items.get(item, -1) for item in row], np.int64)
            for row in items
        ]

    def slices(self, user_id: bytes, held_out: bytes) -> dict[str, bytes]:
        """Returns, by feature name, the groups that a list belongs to."""
        item = self._items.get(held_out)
        group = "tail" if item is None else slices.POPULARITY[self._popularity[item]]
        warm = item is not None and self._trains[item]
        quarter = slices.ACTIVITY[self._activity[self._users[user_id]]]
        return {
            features.USER_ACTIVITY: quarter.encode(),
            features.ITEM_POPULARITY: group.encode(),
            features.ITEM_WARMTH: b"warm" if warm else b"cold",
        }


def _dense(rows: scipy.sparse.csr_matrix, weights: Weights | None) -> np.ndarray:
    """Returns `rows` @ `weights`, [B, items]."""
    if weights is None:
        return np.full(rows.shape, np.nan, np.float32)
    scores = rows @ weights
    return scores.toarray() if scipy.sparse.issparse(scores) else scores


def _baselines(
    positives: scipy.sparse.csr_matrix, config: BaselinesConfig
) -> Iterator[tuple[str, Weights | None]]:
    """Yields the weights by name; None for a baseline that the catalogue forbids."""
    if config.item_knn_neighbours:
        yield (
            "item_knn",
            item_weights.item_knn(positives, neighbours=config.item_knn_neighbours),
        )
    if config.ease_l2:
        num_items = positives.shape[1]
        fits = num_items <= config.ease_max_items
        if not fits:
            logging.warning(
                "EASE is left out: %d items are more than `ease_max_items`, %d.",
                num_items,
                config.ease_max_items,
            )
        yield "ease", item_weights.ease(positives, l2=config.ease_l2) if fits else None
