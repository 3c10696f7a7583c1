"""Fitting on two groups with different tastes: choices, resuming and the refit."""

import json

import numpy as np
import pytest

from ncf_model import progress
from ncf_model.config import HistoryConfig, SamplingConfig, TrainConfig
from ncf_model.history import catalogue, fitting
from ncf_model.history.recency import user_item_matrix
from ncf_model.sampling.ragged import Ragged
from ncf_model.training import checkpoint, data
from ncf_model.training import fitting as pairs

HISTORY = HistoryConfig(factors=4, users_per_batch=16, learning_rate=0.02)
USERS, ITEMS = 60, 20


class _Lists:
    """A stand-in for validation lists: the held-out item and one other item each."""

    def __init__(self, interactions):
        held_out = interactions.validation_items.values
        others = np.arange(USERS, dtype=np.int32) * 7 % ITEMS
        self._items = np.stack([held_out, others], axis=1)

    def candidates(self):
        users = np.arange(USERS, dtype=np.int32)
        return users, self._items, self._items[:, :1] != [[-1, -1]]


def _lists(rows):
    sizes = [len(row) for row in rows]
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    return Ragged(np.concatenate(rows).astype(np.int32), offsets)


@pytest.fixture(name="interactions", scope="module")
def _interactions():
    """Even users take even items, odd users odd ones."""
    rng = np.random.default_rng(0)
    rows = [2 * rng.permutation(ITEMS // 2)[:6] + user % 2 for user in range(USERS)]
    return data.Interactions(
        user_ids=[b"%d" % user for user in range(USERS)],
        user_index=np.arange(USERS, dtype=np.int32),
        positives=_lists([row[:4] for row in rows]),
        validation_items=_lists([row[4:5] for row in rows]),
        eval_items=_lists([row[5:] for row in rows]),
    )


def _fit(
    interactions, tmp_path, *, saved=None, history=HISTORY, negatives="all", **train
):
    train = {"epochs": 4} | train
    sampling = SamplingConfig(eval_negatives=negatives)
    trained, history = fitting.fit(
        interactions,
        _Lists(interactions),
        pairs.FitSettings(train=TrainConfig(**train), sampling=sampling, seed=1),
        history,
        num_users=USERS,
        num_items=ITEMS,
        log_dir=str(tmp_path),
        saved=saved,
    )
    return trained, json.loads(history.to_file())


def test_finds_the_groups_and_says_what_it_chose(interactions, tmp_path):
    trained, told = _fit(interactions, tmp_path, epochs=8)
    logits = trained.vectors() @ trained.items().T + trained.tables.bias
    groups = np.arange(USERS)[:, np.newaxis] % 2 == np.arange(ITEMS) % 2
    assert logits[groups].mean() > logits[~groups].mean() + 1
    best = told["epochs"][told["best_epoch"] - 1]
    figures = [epoch[fitting.CATALOGUE_NDCG] for epoch in told["epochs"]]
    assert best[fitting.CATALOGUE_NDCG] == max(figures)
    assert told["linear"]["weight"] == best["linear_weight"]
    assert told["linear"]["l2"] in HISTORY.linear_l2
    assert told["refit"]["epochs"] == told["best_epoch"]
    assert trained.histories.sizes.tolist() == [5] * USERS  # Those of the refit.


def test_tells_what_is_fitted_before_and_after_the_epochs(
    interactions, tmp_path, monkeypatch
):
    told = []
    monkeypatch.setattr(progress, "observers", [told.append])
    _fit(interactions, tmp_path, epochs=8)
    fractions = [event.fraction for event in told]
    again = fractions.index(0.85)
    assert fractions[0] == 0
    assert told[0].doing.startswith("solves the linear part, l2 ")
    assert fractions == sorted(fractions)
    assert fractions[again - 1] < 0.2
    assert fractions[-1] == pytest.approx(0.9)
    assert [event.doing.partition(",")[0] for event in told[again:]] == [
        "solves the linear part",
        "fits iALS",
    ]


@pytest.mark.parametrize(
    ("negatives", "figure"), [(1, fitting.NDCG), ("all", fitting.CATALOGUE_NDCG)]
)
def test_chooses_by_what_the_evaluation_will_rank(
    interactions, tmp_path, negatives, figure
):
    _, told = _fit(interactions, tmp_path, negatives=negatives, refit=False)
    best = told["epochs"][told["best_epoch"] - 1]
    assert told["chosen_by"] == figure
    assert best[figure] == max(epoch[figure] for epoch in told["epochs"])
    # The history has the same metric for every setting that was tried.
    assert all(figure in tried for tried in told["linear"]["tried"])
    assert max(best["by_weight"]) >= best[figure] > 0


def test_ials_counts_with_what_was_chosen(interactions, tmp_path):
    history = HISTORY.model_copy(
        update={"ials_shares": (2,), "ials_l2": (0.01,), "linear_weights": (4,)}
    )
    trained, told = _fit(interactions, tmp_path, history=history)
    factored = trained.factored
    assert told["ials"]["l2"] == factored.l2 == 0.01
    assert told["ials"]["share"] == factored.share == 2
    assert factored.weight == 8  # share 2 times linear weight 4
    tried = {t["unobserved"]: t[fitting.CATALOGUE_NDCG] for t in told["ials"]["tried"]}
    assert tried[factored.unobserved] == max(tried.values())
    own = trained.vectors()[:, 4:] @ trained.items()[:, 4:].T
    groups = np.arange(USERS)[:, np.newaxis] % 2 == np.arange(ITEMS) % 2
    assert own[groups].mean() > own[~groups].mean() + 1


def test_ials_alone_beside_the_deep_part(interactions, tmp_path):
    history = HISTORY.model_copy(update={"linear_items": 0})
    trained, told = _fit(interactions, tmp_path, history=history)
    assert trained.linear is None
    assert told["ials"]["share"] == 1
    assert bool(told["linear"]["weight"]) == (trained.factored is not None)


def test_without_a_refit_the_validation_items_stay_out(interactions, tmp_path):
    trained, told = _fit(interactions, tmp_path, refit=False)
    assert told["refit"] is None
    assert trained.histories.sizes.tolist() == [4] * USERS


class _Killed(Exception):
    pass


class _Dies(checkpoint.Checkpoint):
    """A checkpoint that saves `left` times and then kills the training."""

    left = 0

    def save(self, info, arrays):
        super().save(info, arrays)
        self.left -= 1
        if not self.left:
            raise _Killed


@pytest.mark.parametrize("saves", [2, 5])
def test_a_killed_training_ends_as_one_that_was_not(interactions, tmp_path, saves):
    whole, told = _fit(interactions, tmp_path)
    saved = _Dies(str(tmp_path), "same")
    saved.left = saves
    with pytest.raises(_Killed):
        _fit(interactions, tmp_path, saved=saved)
    resumed, again = _fit(interactions, tmp_path, saved=saved)
    for one, other in zip(whole.tables, resumed.tables, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)
    np.testing.assert_allclose(whole.linear, resumed.linear, atol=1e-6)
    assert again["best_epoch"] == told["best_epoch"]


def test_the_linear_part_can_be_left_out(interactions, tmp_path):
    left_out = {"linear_items": 0, "ials_shares": (0,), "user_rows": False}
    history = HISTORY.model_copy(update=left_out)
    trained, told = _fit(interactions, tmp_path, history=history)
    assert trained.linear is None
    assert trained.factored is None
    assert told["linear"]["weight"] == 0
    assert trained.tables.user.tolist() == [[0.0] * 4]


@pytest.mark.parametrize(("weight", "probability"), [(0.0, 1 / 2), (5.0, 0.99)])
def test_a_score_says_how_likely_an_item_is_taken(interactions, weight, probability):
    positives = user_item_matrix(interactions.positives, ITEMS)
    lists = _Lists(interactions)
    # The other candidate is item 0, which the linear part below scores low.
    lists._items[:, 1] = 0
    validator = catalogue.Catalogue(lists, positives, positives, weights=(0.0,), seed=0)
    matrix = np.full((ITEMS, ITEMS), 0.25, np.float32)
    matrix[:, 0] = -0.25
    validator.use(catalogue.Beside(validator.linear_scores(matrix)))
    curve = validator.calibrate(
        np.zeros((USERS, 1)),
        np.zeros((ITEMS, 1)),
        np.zeros(ITEMS),
        weight=weight,
        negatives=1,
    )
    # Each user has four items of weight 0.25, so held-out items score `weight`.
    said = 1 / (1 + np.exp(-curve.logits(weight)))
    assert said == pytest.approx(probability, abs=0.02)


def test_a_rank_counts_what_the_user_never_touched(interactions):
    positives = user_item_matrix(interactions.positives, ITEMS)
    everything = interactions.positives.then(interactions.validation_items)
    validator = catalogue.Catalogue(
        _Lists(interactions),
        positives,
        user_item_matrix(everything, ITEMS),
        weights=(0.0,),
        seed=0,
    )
    # All scores tie, so all 15 items count that the user does not have.
    none = catalogue._Deep(np.zeros((USERS, 1)), np.zeros((ITEMS, 1)), np.zeros(ITEMS))
    ranks = validator._ranks(none, (0.0,), catalogue.Beside(), listed=False)
    assert (ranks == 15).all()
    listed = validator._ranks(none, (0.0,), catalogue.Beside(), listed=True)
    assert (listed == 1).all()  # The other candidate ties.


def test_scores_beside_the_deep_part_are_a_weighted_sum():
    part = catalogue.Beside(
        linear=np.array([[1.0, 2.0], [3.0, 4.0]], np.float32),
        users=np.array([[1.0], [2.0]], np.float32),
        items=np.array([[1.0], [0.0], [5.0]], np.float32),
        share=0.5,
    )
    np.testing.assert_allclose(part.scores(slice(0, 2), 3), [[1.5, 2, 2.5], [4, 4, 5]])
    only = part._replace(users=None)
    np.testing.assert_allclose(only.scores(slice(1, 2), 3), [[3, 4, 0]])
    assert catalogue.Beside().scores(slice(0, 2), 3) is None


@pytest.mark.parametrize("covered", [ITEMS, ITEMS - 1])
def test_what_is_added_is_summed_up_once(interactions, covered):
    """With all items covered the sum replaces the linear scores; the ranks stay."""
    positives = user_item_matrix(interactions.positives, ITEMS)
    validator = catalogue.Catalogue(
        _Lists(interactions), positives, positives, weights=(0.0, 8.0), seed=0
    )
    rng = np.random.default_rng(0)
    shapes = (USERS, covered), (USERS, 2), (ITEMS, 2), (USERS, 3), (ITEMS, 3)
    linear, users, items, vectors, item = (
        rng.standard_normal(shape, np.float32) for shape in shapes
    )
    part = catalogue.Beside(linear.copy(), users, items, 2.0)
    model = catalogue._Deep(vectors, item, np.zeros(ITEMS, np.float32))
    expected = validator._ranks(model, (0.0, 8.0), part, listed=False)
    validator.use(part)
    assert (validator._beside.users is None) == (covered == ITEMS)
    added = validator._beside.scores(slice(0, USERS), ITEMS)
    dense = np.pad(linear, ((0, 0), (0, ITEMS - covered))) + 2 * users @ items.T
    np.testing.assert_allclose(added, dense, rtol=1e-5, atol=1e-6)
    ranks = validator._ranks(model, (0.0, 8.0), validator._beside, listed=False)
    assert ranks.tolist() == expected.tolist()


@pytest.mark.parametrize(
    ("lists", "expected"),
    [
        (4, 1),  # Half a standard error is >= .1: all are as good.
        (400, 2),  # It is .01: 2 and 4 are as good; 2 is nearer to 1.
    ],
)
def test_of_what_is_as_good_the_usual_is_taken(lists, expected):
    noise = np.tile([0.2, -0.2], lists // 2)
    gains = 0.5 + noise + np.array([[0.0], [0.01], [0.05], [0.052]])
    values = (0, 1, 2, 4)
    place = catalogue.cautious_best(gains, values, usual=1.0)
    assert values[place] == expected
