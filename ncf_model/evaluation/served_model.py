"""Evaluates a served model on what happened since it was trained.

Every new interaction makes one list: the item that was taken, and items that the user
did not have. All of these interactions are later than the model's training, so the
model knows none of them.
"""

import dataclasses
import datetime
import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import tensorflow as tf

from ncf_model import features
from ncf_model.evaluation import ranking
from ncf_model.evaluation.served_result import Served, ServedRow

CUTOFF = 10
_AT_A_TIME = 512
_DAY = 86_400
_MOST_ROWS = 31  # Up to so many days have a row each; more have a row per week.


@dataclasses.dataclass(frozen=True)
class NewInteraction:
    """An interaction that the model did not know.

    Attributes:
        user: the user's raw id.
        item: the item's raw id.
        time: seconds since 1970.
        known_user: whether the model trained on the user.
        known_item: whether the item is in the model's catalogue.
    """

    user: bytes
    item: bytes
    time: int
    known_user: bool
    known_item: bool


@dataclasses.dataclass(frozen=True, kw_only=True)
class NewInteractionLists:
    """Interactions that are new to the model, each with a list of candidates.

    Attributes:
        events: L new interactions.
        candidates: L lists of raw ids; the item of the interaction comes first.
        already_known: pairs in the data that the model had trained on or held out.
    """

    events: list[NewInteraction]
    candidates: list[list[bytes]]
    already_known: int


class Person(NamedTuple):
    """The interactions of one user, those that the model knows included.

    Attributes:
        user: the raw id.
        items: raw ids of the items that the user took.
        times: when the user took each item, seconds since 1970.
    """

    user: bytes
    items: list[bytes]
    times: list[int]


class NothingNewError(ValueError):
    """The model knows every interaction in the data, so nothing can be evaluated."""


def evaluate(
    model: str,
    people: Sequence[Person],
    *,
    negatives: int = 99,
    seed: int = 20240601,
    has_times: bool = True,
) -> Served:
    """Returns how well the model foresaw what people took.

    Args:
        model: folder of a SavedModel.
        people: all users, each with all items and times in the data.
        negatives: other items in a list.
        seed: of the draw of `negatives`.
        has_times: whether the times are real; without them nothing is told by time.

    Raises:
        NothingNewError: nothing in the data is new to the model.
        ValueError: `model` is no model of this project, or one of a release whose
            models had no signatures `evaluate` and `history`.
    """
    loaded = tf.saved_model.load(model)
    if missing := {"evaluate", "history"} - set(loaded.signatures):
        raise ValueError(
            f"{model} must have the signatures `evaluate` and `history`; it has no "
            f"{' and no '.join(sorted(missing))}. A model trained now has both."
        )
    catalogue = _catalogue(model)
    lists = _lists(loaded, people, catalogue, negatives=negatives, seed=seed)
    if not lists.events:
        raise NothingNewError(
            f"All {lists.already_known} pairs of user and item are known to the model. "
            "Give the data that came afterwards."
        )
    ranks = np.concatenate(list(_ranks(loaded, lists)))
    popular = _popularity_ranks(loaded, lists, len(catalogue))
    by_time = _by_time(lists.events, ranks, popular) if has_times else []
    return _told(lists, ranks, popular).model_copy(
        update={"model": model, "by_time": by_time}
    )


def _catalogue(model: str) -> list[bytes]:
    file = os.path.join(model, "assets", features.ITEM_VOCABULARY)
    if not tf.io.gfile.exists(file):
        raise ValueError(f"{model} must be a model that `ncf run` pushed; no {file}.")
    with tf.io.gfile.GFile(file, "rb") as f:
        return f.read().removesuffix(b"\n").split(b"\n")


def _lists(
    loaded: Any,
    people: Sequence[Person],
    catalogue: Sequence[bytes],
    *,
    negatives: int,
    seed: int,
) -> NewInteractionLists:
    events: list[NewInteraction] = []
    candidates: list[list[bytes]] = []
    already = 0
    place = {item: index for index, item in enumerate(catalogue)}
    histories = _histories(loaded, [person.user for person in people])
    for (user, now, times), history in zip(people, histories, strict=True):
        new = [(i, t) for i, t in zip(now, times, strict=True) if i not in history]
        already += len(now) - len(new)
        unseen = np.ones(len(catalogue), bool)
        unseen[[place[i] for i in history.union(now) if i in place]] = False
        rest = np.flatnonzero(unseen)
        rng = _generator(seed, user)
        for item, time in new:
            drawn = rng.choice(rest, min(negatives, len(rest)), replace=False)
            events.append(
                NewInteraction(user, item, time, bool(history), item in place)
            )
            candidates.append([item, *(catalogue[i] for i in drawn)])
    return NewInteractionLists(
        events=events, candidates=candidates, already_known=already
    )


def _generator(seed: int, user: bytes) -> np.random.Generator:
    digest = hashlib.blake2b(user, digest_size=8).digest()
    return np.random.default_rng([seed, int.from_bytes(digest, "big")])


def _histories(loaded: Any, users: Sequence[bytes]) -> Iterator[set[bytes]]:
    """Yields the items that the model knows of each user, held-out ones included."""
    for start in range(0, len(users), _AT_A_TIME):
        block = tf.constant(users[start : start + _AT_A_TIME])
        for row in loaded.signatures["history"](user_id=block)["item_ids"].numpy():
            yield {item for item in row.tolist() if item}


def _ranks(loaded: Any, lists: NewInteractionLists) -> Iterator[np.ndarray]:
    evaluate = loaded.signatures["evaluate"]
    for start in range(0, len(lists.events), _AT_A_TIME):
        rows = slice(start, start + _AT_A_TIME)
        records = [
            _example(event.user, candidates)
            for event, candidates in zip(
                lists.events[rows], lists.candidates[rows], strict=True
            )
        ]
        scores = evaluate(examples=tf.constant(records))["scores"].numpy()
        yield ranking.ranks(scores)


def _example(user: bytes, candidates: Sequence[bytes]) -> bytes:
    made = tf.train.Example()
    feature = made.features.feature
    feature[features.USER_ID].bytes_list.value.append(user)
    feature[features.CANDIDATE_IDS].bytes_list.value.extend(candidates)
    return made.SerializeToString()


def _popularity_ranks(
    loaded: Any, lists: NewInteractionLists, num_items: int
) -> np.ndarray:
    """Returns ranks by popularity, as the model recommends to an unknown user."""
    answer = loaded.signatures["recommend"](
        user_id=tf.constant([b"\x00nobody"]), k=tf.constant(num_items)
    )
    shares = {
        item: float(share)
        for item, share in zip(
            answer["item_ids"].numpy()[0].tolist(),
            answer["scores"].numpy()[0].tolist(),
            strict=True,
        )
    }
    scores = np.full((len(lists.events), max(map(len, lists.candidates))), -np.inf)
    for row, candidates in zip(scores, lists.candidates, strict=True):
        row[: len(candidates)] = [shares.get(item, 0.0) for item in candidates]
    return ranking.ranks(scores)


def _told(lists: NewInteractionLists, ranks: np.ndarray, popular: np.ndarray) -> Served:
    events = lists.events
    users = np.array([event.known_user for event in events])
    items = np.array([event.known_item for event in events])
    groups = {
        "known user and item": users & items,
        "new user": ~users,
        "new item": ~items,
    }
    return Served(
        lists=len(events),
        users=len({event.user for event in events}),
        new_users=len({event.user for event in events if not event.known_user}),
        new_items=len({event.item for event in events if not event.known_item}),
        already_known=lists.already_known,
        metrics=_metrics(ranks),
        errors=_errors(ranks),
        baseline=_metrics(popular),
        groups={
            name: ServedRow(
                lists=int(of.sum()),
                metrics=_metrics(ranks[of]),
                errors=_errors(ranks[of]),
            )
            for name, of in groups.items()
            if of.any()
        },
    )


def _metrics(ranks: np.ndarray) -> dict[str, float | None]:
    gains = ranking.gains(ranks, CUTOFF)
    return {name: float(np.mean(of)) for name, of in gains.items()}


def _errors(ranks: np.ndarray) -> dict[str, float | None]:
    """Returns the standard error of each metric."""
    gains = ranking.gains(ranks, CUTOFF)
    return {name: float(np.std(of) / np.sqrt(len(of))) for name, of in gains.items()}


def _by_time(
    events: Sequence[NewInteraction], ranks: np.ndarray, popular: np.ndarray
) -> list[ServedRow]:
    """Returns a row for each day or, where there are many days, for each week."""
    days = np.array([event.time // _DAY for event in events])
    step = 1 if days.max() - days.min() < _MOST_ROWS else 7
    found: list[ServedRow] = []
    for start in range(int(days.min()), int(days.max()) + 1, step):
        of = (days >= start) & (days < start + step)
        if not of.any():
            continue
        first = datetime.date(1970, 1, 1) + datetime.timedelta(start)
        found.append(
            ServedRow(
                first=str(first),
                days=step,
                lists=int(of.sum()),
                metrics=_metrics(ranks[of]),
                errors=_errors(ranks[of]),
                baseline=_metrics(popular[of]),
            )
        )
    return found
