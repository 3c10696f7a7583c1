"""Measures the accuracy of the default model beside its four rivals, without TFX.

    python benchmarks/accuracy.py ratings.csv --seeds 1 2 3
    python benchmarks/accuracy.py u.data --separator tab --columns 0 1 3 --strong .1

Each method ranks every user's held-out item in the whole catalogue and in lists with 99
negatives. `--on validation` evaluates on the validation items, for experiments; `--on
test`, the default, is for a configuration that is final. `--by` is the value of
`sampling.eval_negatives` with which the model and its rivals choose their settings.
`--strong` keeps a share of the users out of training; when a method ranks, it gets all
their items but the last one, as it would get a basket. `--set` changes fields of
`model.history`.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from typing import Any, NamedTuple, cast

import numpy as np
import pandas as pd
import scipy.sparse

from components.eval_context import context, rivals, search
from components.eval_context.config import BaselinesConfig
from ncf_model import config
from ncf_model.documents import Document
from ncf_model.evaluation import ranking
from ncf_model.history import fitting, ials, linear, recency, resolve
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import data, validation
from ncf_model.training import fitting as pairs

_BLOCK = 512


class PairTable(NamedTuple):
    """Distinct pairs of user and item, in order of user and time.

    Attributes:
        users: the user of each pair.
        items: the item of each pair.
        back: how many pairs of the same user come later than each pair.
        shape: the numbers of users and of items.
    """

    users: np.ndarray
    items: np.ndarray
    back: np.ndarray
    shape: tuple[int, int]

    def faded(self, matrix: scipy.sparse.csr_matrix, exponent: float) -> Any:
        """Returns `matrix`, made by `self.matrix`, with recency weights for its ones.

        Args:
            matrix: the pairs to weight.
            exponent: as `model.history.recency`.
        """
        back = scipy.sparse.csr_matrix(
            (self.back + 1.0, (self.users, self.items)), self.shape
        )
        rows = matrix.multiply(back).tocsr()  # The value is how far back the item is.
        offsets = rows.indptr
        user = np.repeat(np.arange(self.shape[0]), np.diff(offsets))
        order = np.lexsort((-rows.data, user))
        weights = np.empty_like(rows.data)
        weights[order] = recency.weights(offsets, exponent)
        return scipy.sparse.csr_matrix(
            (weights.astype(np.float32), rows.indices, offsets), self.shape
        )

    def lists(self, mask: np.ndarray) -> Ragged:
        """Returns the items of the pairs in `mask`, per user."""
        sizes = np.bincount(self.users[mask], minlength=self.shape[0])
        offsets = np.concatenate([[0], np.cumsum(sizes)])
        return Ragged(self.items[mask].astype(np.int32), offsets)

    def positives(self, mask: np.ndarray, *, order: bool) -> rivals.Positives:
        """Returns the pairs in `mask` in the form on which rivals are fitted."""
        return rivals.Positives(self.matrix(mask), self.lists(mask) if order else None)

    def matrix(self, mask: np.ndarray) -> scipy.sparse.csr_matrix:
        """Returns the pairs in `mask` as a matrix of ones."""
        where = (self.users[mask], self.items[mask])
        return scipy.sparse.csr_matrix(
            (np.ones(mask.sum(), np.float32), where), self.shape
        )


def read(path: str, columns: list[str], separator: str) -> PairTable:
    """Reads user, item and time; a repeated pair counts once, at its first time."""
    header = None if columns[0].isdigit() else "infer"
    frame = pd.read_csv(
        path, sep="\t" if separator == "tab" else separator, header=header
    )
    names = [int(c) if c.isdigit() else c for c in columns]
    frame = frame[names].set_axis(["user", "item", "time"], axis=1)
    frame["user"] = pd.factorize(frame["user"], sort=True)[0]
    frame = frame.sort_values(["user", "time"], kind="stable")
    frame = frame.drop_duplicates(["user", "item"])
    frame["item"] = frame["item"].map(
        {item: place for place, item in enumerate(frame["item"].value_counts().index)}
    )
    users, items = frame["user"].to_numpy(), frame["item"].to_numpy()
    back = np.asarray(frame.groupby("user").cumcount(ascending=False))
    return PairTable(users, items, back, (users.max() + 1, items.max() + 1))


class EvaluationLists:
    """The evaluation lists: a user's held-out item and 99 items the user never had."""

    def __init__(self, table: PairTable, held_out: np.ndarray, seed: int) -> None:
        rng = np.random.default_rng(seed)
        everything = np.ones(len(table.users), bool)
        self.touched = table.matrix(everything)
        self.users, self.held_out = table.users[held_out], table.items[held_out]
        self._items = np.full((len(self.users), 100), -1, np.int32)
        self._items[:, 0] = self.held_out
        for row, user in enumerate(self.users):
            others = np.ones(table.shape[1], bool)
            others[self.touched[user].indices] = False
            unseen = np.flatnonzero(others)
            drawn = rng.choice(unseen, min(99, len(unseen)), replace=False)
            self._items[row, 1 : 1 + len(drawn)] = drawn
        self._num_items = table.shape[1]

    def candidates(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Returns users, their lists of items, and which items are not padding.

        The form is that of `ncf_model.training.validation.Validation.candidates`.
        """
        real = self._items >= 0
        items = np.where(real, self._items, self._num_items)
        return self.users.astype(np.int32), items, real

    def validation(
        self, positives: rivals.Positives, *, by: int | str
    ) -> search.SearchData:
        """Returns the data on which the rivals choose their settings.

        The data are the lists, or the held-out items alone if `by` is "all": these are
        ranked in the whole catalogue.
        """
        if by != "all":
            items = self._items.astype(np.int64)
            return search.SearchData(positives, self.users, items, None)
        own = self.held_out[:, np.newaxis]
        return search.SearchData(positives, self.users, own, self.touched)

    def figures(self, score: rivals.Scorer) -> dict[str, str]:
        """Returns HR@10 and NDCG@10 with their standard errors, by kind of list."""
        ranks: dict[str, list[np.ndarray]] = {"catalogue": [], "99 negatives": []}
        for start in range(0, len(self.users), _BLOCK):
            rows = slice(start, start + _BLOCK)
            scores = score(self.users[rows])
            own = np.take_along_axis(scores, self.held_out[rows, np.newaxis], axis=1)
            items = self._items[rows, 1:]
            others = np.take_along_axis(scores, np.maximum(items, 0), axis=1)
            ranks["99 negatives"].append(((others >= own) & (items >= 0)).sum(axis=1))
            above = scores >= own
            touched = self.touched[self.users[rows]]
            row = np.repeat(np.arange(len(own)), np.diff(touched.indptr))
            above[row, touched.indices] = False
            ranks["catalogue"].append(above.sum(axis=1))
        return {name: _mean(np.concatenate(parts)) for name, parts in ranks.items()}


def _mean(ranks: np.ndarray) -> str:
    parts = []
    for gain in (ranking.hit_rate(ranks, 10), ranking.ndcg(ranks, 10)):
        error = gain.std(ddof=1) / np.sqrt(len(gain))
        parts.append(f"{gain.mean():.4f} ± {error:.4f}")
    return " / ".join(parts)


def train(
    table: PairTable,
    known: np.ndarray,
    validator: EvaluationLists,
    args: argparse.Namespace,
    seed: int,
) -> fitting.Trained:
    """Trains the default model on the pairs in `known`."""
    users = table.shape[0]
    interactions = data.Interactions(
        user_ids=[b"%d" % user for user in range(users)],
        user_index=np.arange(users, dtype=np.int32),
        positives=table.lists(known & (table.back >= 2)),
        validation_items=table.lists(known & (table.back == 1)),
        eval_items=table.lists(known & (table.back == 0)),
    )
    changes = {name: json.loads(value) for name, value in args.set}
    settings = pairs.FitSettings(
        train=config.TrainConfig(epochs=args.epochs, refit=args.on == "test"),
        sampling=config.SamplingConfig(eval_negatives=args.by),
        seed=seed,
    )
    history = resolve.resolve(
        config.ModelConfig(history=config.HistoryConfig(**changes)),
        interactions,
        num_items=table.shape[1],
    ).history
    assert history is not None  # noqa: S101
    with tempfile.TemporaryDirectory() as log_dir:
        trained, told = fitting.fit(
            interactions,
            # `fit` calls nothing of a validation but `candidates`, and
            # `EvaluationLists` has that method.
            cast(validation.Validation, validator),
            settings,
            history,
            num_users=users,
            num_items=table.shape[1],
            log_dir=log_dir,
        )
    chosen = {"linear": _plain(told.linear), "ials": _plain(told.ials)}
    figures = {k: round(v, 4) for k, v in told.best.figures().items() if "@" in k}
    print(f"  epoch {told.best_epoch} of {args.epochs}, {chosen}, {figures}")
    return trained


def _plain(part: Document | None) -> dict[str, Any]:
    """Returns the settings that were chosen, without the list of those tried."""
    told = part.model_dump() if part else {}
    return {k: v for k, v in told.items() if not isinstance(v, list)}


def scorer(
    trained: fitting.Trained, positives: scipy.sparse.csr_matrix, *, known: bool
) -> rivals.Scorer:
    """Returns the model's scoring function.

    Args:
        trained: the trained model.
        positives: the items that each user has.
        known: whether the users were trained on. Users who were not have no row of
            their own in the table of users and get the average of all rows.
    """
    tables, part = trained.tables, trained.linear
    nobody = tables._replace(user=np.zeros((1, tables.item.shape[1]), np.float32))

    def score(users: np.ndarray) -> np.ndarray:
        own = tables.user[users] if known else tables.user.mean(axis=0)
        vectors = fitting.vectors(nobody, positives[users], users) + own
        if trained.factored is not None:
            folded_in = trained.factored.vectors(positives[users])
            vectors = np.concatenate([vectors, folded_in], axis=1)
        scores = vectors @ trained.items().T + tables.bias
        if part is not None:
            covered = positives[users][:, : len(part)]
            scores[:, : len(part)] += linear.scores(covered, part)
        return scores

    return score


def _folded_in(
    fitted_on: scipy.sparse.csr_matrix,
    history: scipy.sparse.csr_matrix,
    settings: dict[str, float],
) -> rivals.Scorer:
    """Returns the scoring function of iALS for users it was not fitted on."""
    l2, unobserved = settings["l2"], settings["unobserved"]
    width = rivals.factors(fitted_on, BaselinesConfig())
    _, items = ials.fit(
        fitted_on, factors=width, epochs=10, l2=l2, unobserved=unobserved
    )

    def score(users: np.ndarray) -> np.ndarray:
        own = ials.fold_in(history[users], items, l2=l2, unobserved=unobserved)
        return own @ items.T

    return score


def _rivals(
    rival: context.Context,
    args: argparse.Namespace,
    history: scipy.sparse.csr_matrix,
    fitted_on: scipy.sparse.csr_matrix,
) -> Iterator[tuple[str, rivals.Scorer]]:
    """Yields the name of each rival with its settings, and its scoring function."""
    for name, settings in rival.settings.items():
        score = rival.scorers[name]
        if args.strong and name == rivals.EASE:
            weights = linear.weights(fitted_on, l2=settings["l2"])
            score = lambda users, weights=weights: history[users] @ weights  # noqa: E731
        elif args.strong and name == rivals.IALS:
            score = _folded_in(fitted_on, history, settings)
        elif args.strong:
            continue  # The other rivals are not measured on users they do not know.
        if score is None:
            continue  # The catalogue is too large for this rival.
        chosen = {key: value for key, value in settings.items() if key != "tried"}
        tried = max((each[search.NDCG] for each in settings["tried"]), default=None)
        yield f"{name} {chosen}, on validation items {tried}", score


def compare(table: PairTable, args: argparse.Namespace) -> None:
    """Prints every method's figures: for known users, or with `--strong` for others."""
    rng = np.random.default_rng(0)
    strange = rng.random(table.shape[0]) < args.strong
    known = ~strange[table.users]
    validator = EvaluationLists(table, known & (table.back == 1), seed=1)
    target = ~known if args.strong else known
    back = 0 if args.on == "test" else 1
    lists = EvaluationLists(table, target & (table.back == back), seed=7)
    history = table.matrix(table.back > back)
    fitted_on = table.matrix(known & (table.back > back))
    started = time.process_time()
    fade = float(dict(args.set).get("recency", 0))
    rival = context.Context(
        table.positives(known & (table.back > back), order=fade > 0),
        users={b"%d" % user: user for user in range(table.shape[0])},
        items={b"%d" % item: item for item in range(table.shape[1])},
        config=BaselinesConfig(),
        validation=validator.validation(
            table.positives(known & (table.back >= 2), order=fade > 0), by=args.by
        ),
    )
    print(f"rivals: {time.process_time() - started:.1f} s of CPU")
    counts = np.asarray(fitted_on.sum(axis=0), np.float32)
    print("popularity", lists.figures(lambda users: np.repeat(counts, len(users), 0)))
    faded = table.faded(history, fade) if fade else history
    for label, score in _rivals(rival, args, history, fitted_on):
        print(label, lists.figures(score), flush=True)
    for seed in args.seeds:
        started = time.process_time()
        trained = train(table, known, validator, args, seed)
        score = scorer(trained, faded, known=not args.strong)
        taken = time.process_time() - started
        print(
            f"model, seed {seed}, {taken:.0f} s of CPU",
            lists.figures(score),
            flush=True,
        )


def main() -> None:
    """Reads the command's arguments and the file, and compares the methods."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file")
    parser.add_argument(
        "--columns", nargs=3, default=["userId", "movieId", "timestamp"]
    )
    parser.add_argument("--separator", default=",")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--epochs", type=int, default=config.TrainConfig().epochs)
    parser.add_argument("--on", choices=["test", "validation"], default="test")
    parser.add_argument(
        "--by", default="all", type=lambda x: x if x == "all" else int(x)
    )
    parser.add_argument("--strong", type=float, default=0.0, metavar="SHARE")
    parser.add_argument("--set", nargs=2, action="append", default=[])
    args = parser.parse_args()
    table = read(args.file, args.columns, args.separator)
    users, items = table.shape
    print(f"{args.file}: {users} users, {items} items, {len(table.users)} pairs")
    compare(table, args)


if __name__ == "__main__":
    main()
