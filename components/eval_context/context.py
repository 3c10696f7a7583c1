"""Computes baselines and slices of evaluation lists; free of TFX."""

import time
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from absl import logging

from components.eval_context import costs, rivals, search, slices
from components.eval_context.config import BaselinesConfig
from ncf_model import features, progress
from ncf_model.evaluation import ranking

# How many scores of one baseline are ranked at a time, at some 16 bytes each.
_SCORES = 1 << 24
_LISTS = 512
# The share of fitting in the work of this node: about that on MovieLens.
LEARNING = 0.9


class Context:
    """Baselines and slices, learned from the training positives.

    Attributes:
        items: raw item id -> column.
        scorers: the scorer of each baseline; None for one that was left out.
        settings: the chosen settings of each baseline that was computed, by name; under
            `tried` are all settings that were tried, with their NDCG@10 on the
            validation lists.
        left_out: why a baseline was left out, by name.
    """

    def __init__(
        self,
        positives: rivals.Positives,
        *,
        users: Mapping[bytes, int],
        items: Mapping[bytes, int],
        config: BaselinesConfig,
        validation: search.SearchData | None = None,
    ) -> None:
        """Chooses the baselines' settings and fits them.

        Args:
            positives: the training positives.
            users: raw user id -> row.
            items: raw item id -> column.
            config: which baselines to compute.
            validation: the data on which settings are chosen; None takes the usual
                settings.
        """
        self._users, self.items = users, items
        self.settings: dict[str, dict[str, Any]] = {}
        self.left_out: dict[str, str] = {}
        self.scorers: dict[str, rivals.Scorer | None] = {}
        asked = rivals.rivals(config, order=positives.histories is not None)
        for done, (name, rival) in enumerate(asked.items()):
            doing = f"tunes and fits {name}, {done + 1} of {len(asked)}"
            share = LEARNING * done / len(asked)
            progress.emit(progress.StepProgress(fraction=share, doing=doing))
            self.scorers[name] = self._fitted(
                name, rival, positives, config, validation
            )
        matrix = positives.matrix
        counts = np.asarray(matrix.sum(axis=0)).ravel()
        self._activity = slices.activity(np.diff(matrix.indptr))
        self._popularity = slices.popularity(counts)
        self._trains = counts > 0
        # The baseline popularity counts training positives without the validation
        # items.
        trained = validation.positives.matrix if validation else matrix
        self._counts = np.asarray(trained.sum(axis=0), np.float32).ravel()

    def _fitted(
        self,
        name: str,
        rival: rivals.Rival,
        positives: rivals.Positives,
        config: BaselinesConfig,
        validation: search.SearchData | None,
    ) -> rivals.Scorer | None:
        """Returns the scorer of the baseline `name`; None if that is left out."""
        found = costs.cost(name, positives.matrix, config)
        reason = costs.reason_against(found, config)
        if reason:
            logging.warning("%s %s.", name, reason)
            self.left_out[name] = reason
            return None
        started = time.monotonic()
        too_long = found.seconds * costs.FITS > config.max_seconds
        best, tried = search.choose(rival, None if too_long else validation)
        self.settings[name] = {**best, "tried": tried}
        scorer = rival.fit(positives, best, False)
        logging.info(
            "%s with %s: %.1f s, estimated %.1f s and %.0f MB a fit; tried %s",
            name,
            best,
            time.monotonic() - started,
            found.seconds,
            found.memory_mb,
            tried,
        )
        return scorer

    @property
    def lists_at_a_time(self) -> int:
        """How many lists to score at a time, so that all scores fit into memory."""
        return int(np.clip(_SCORES // max(len(self.items), 1), 1, _LISTS))

    @property
    def baselines(self) -> list[str]:
        """Names of the baselines that were computed."""
        return list(self.settings)

    def scores(
        self, user_ids: list[bytes], candidates: list[list[bytes]]
    ) -> dict[str, list[np.ndarray]]:
        """Returns, by feature name, the scores of each list's candidates.

        A baseline that was left out scores NaN, so that it has no figures.

        Args:
            user_ids: [B] raw ids.
            candidates: the raw ids of each list; an item that is not in the vocabulary
                scores 0.
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

        A rank, int64, is the number of items that are neither seen nor held out and
        score at least as high as the held-out one. A baseline that was left out has
        rank -1, so that it has no figures.

        Args:
            user_ids: [B] raw ids.
            held_out: [B] raw ids; an item that is not in the vocabulary scores 0.
            seen: for each user the raw ids that are not ranked.
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

    def first(
        self, user_ids: list[bytes], seen: list[list[bytes]], *, places: int
    ) -> dict[str, np.ndarray]:
        """Returns, by feature name, the columns of the first items of each user.

        The columns are int64, [B, places] or fewer; popularity has them, too. A
        baseline that was left out has [B, 0].

        Args:
            user_ids: [B] raw ids.
            seen: for each user the raw ids that are not shown.
            places: how many items.
        """
        gone = self._columns(seen)
        row = np.repeat(np.arange(len(user_ids)), [len(items) for items in gone])
        column = np.concatenate(gone)
        row, column = row[column >= 0], column[column >= 0]
        shape = (len(user_ids), len(self.items))
        popular = features.POPULARITY, np.broadcast_to(self._counts, shape)
        result = {}
        for name, dense in [popular, *self._score_all(user_ids)]:
            shown = np.array(dense)
            shown[row, column] = -np.inf
            none = np.empty((len(user_ids), 0), np.int64)
            result[features.FIRST_ITEMS.format(name)] = (
                none
                if name in self.left_out
                else np.stack([_first(scores, places) for scores in shown])
            )
        return result

    def _score_all(self, user_ids: list[bytes]) -> Iterator[tuple[str, np.ndarray]]:
        """Yields each baseline's name and its scores of all items, [B, items]."""
        rows = np.array([self._users[user_id] for user_id in user_ids], np.int64)
        for name, scorer in self.scorers.items():
            if scorer is None:
                yield name, np.full((len(rows), len(self.items)), np.nan, np.float32)
            else:
                yield name, scorer(rows)

    def _columns(self, items: list[list[bytes]]) -> list[np.ndarray]:
        """Returns each list's columns, -1 for an id that is not in the vocabulary."""
        return [
            np.array([self.items.get(item, -1) for item in row], np.int64)
            for row in items
        ]

    def slices(self, user_id: bytes, held_out: bytes) -> dict[str, bytes]:
        """Returns, by feature name, the groups that a list belongs to."""
        item = self.items.get(held_out)
        group = "tail" if item is None else slices.POPULARITY[self._popularity[item]]
        warm = item is not None and self._trains[item]
        quarter = slices.ACTIVITY[self._activity[self._users[user_id]]]
        return {
            features.USER_ACTIVITY: quarter.encode(),
            features.ITEM_POPULARITY: group.encode(),
            features.ITEM_WARMTH: b"warm" if warm else b"cold",
        }


def _first(scores: np.ndarray, places: int) -> np.ndarray:
    """Returns the columns of the first items, [places], -1 where there are fewer."""
    best = ranking.top(scores, places)
    return np.concatenate([best, np.full(places - len(best), -1)])
