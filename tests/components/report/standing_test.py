"""Whether the model or a baseline is best, on figures worked out by hand."""

import pytest

from components.report import standing
from ncf_model.evaluation.result import Paired, Quality


def _quality(own, rival, *, error=0.03, rival_error=0.04, paired=None):
    return Quality(
        metrics={"hit_rate@10": own},
        standard_errors={"hit_rate@10": error},
        baselines={"item_knn": {"hit_rate@10": rival}, "ease": {}},
        baseline_standard_errors={"item_knn": {"hit_rate@10": rival_error}},
        against_baselines={"item_knn": Paired(standard_error=paired)},
    )


@pytest.mark.parametrize(
    ("own", "rival", "said"),
    [
        (
            *(0.50, 0.25),
            "The model is best on these lists: its HR@10 is 0.2500 above that of "
            "item-kNN (5.0 standard errors).",
        ),
        (
            *(0.50, 0.61),
            "item-kNN is best on these lists: its HR@10 is 0.1100 above that of the "
            "model (2.2 standard errors).",
        ),
        (
            *(0.50, 0.41),
            "The model and item-kNN cannot be told apart on these lists: the model's "
            "HR@10 is 0.0900 above (1.8 standard errors).",
        ),
        (0.5, 0.5, "The model and item-kNN have the same HR@10 on these lists."),
    ],
)
def test_which_is_best_and_by_how_many_standard_errors(own, rival, said):
    # The difference has the standard error sqrt(.03**2 + .04**2) = .05.
    assert standing.sentences(_quality(own, rival))[0] == said


def test_the_error_is_that_of_pairs_where_it_is_known():
    found = standing.find(_quality(0.50, 0.41, paired=0.03))
    assert found.errors == pytest.approx(3.0)
    assert found.is_clear
    assert not found.is_beaten


def test_without_errors_the_larger_is_better():
    said = standing.sentences(_quality(0.49, 0.5, error=None))
    assert said[0].endswith("its HR@10 is 0.0100 above that of the model.")


def test_advice_only_where_a_baseline_is_clearly_better():
    said = standing.sentences(_quality(0.25, 0.50))
    assert "item-kNN is what to ship" in said[1]
    assert "evaluation.gate.baseline=best" in said[1]
    assert "--set model.history.factors=256" in said[1]
    # The network of pairs has no such setting.
    of_pairs = standing.sentences(_quality(0.25, 0.50), of_pairs=True)
    assert "model.history.factors" not in of_pairs[1]
    assert "without `model.history: null`" in of_pairs[1]
    assert len(standing.sentences(_quality(0.50, 0.51))) == 1
    assert len(standing.sentences(_quality(0.50, 0.25))) == 1


def test_nothing_is_said_where_nothing_can_be_compared():
    assert standing.sentences(_quality(None, 0.5)) == []
    assert standing.sentences(_quality(0.5, None)) == []
