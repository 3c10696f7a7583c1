import math
import os

import pydantic
import pytest

from components.eval_context.config import BaselinesConfig
from pipeline import evaluation

# Ranks, from 0, in 10 lists each; a rank of 10 and above is no hit.
POPULARITY = [0, 0, 0, 9, 10, 10, 11, 11, 12, 12]  # HR@10 0.4
CANDIDATE = [0, 1, 2, 3, 4, 9, 10, 11, 12, 12]  # HR@10 0.6
BLESSED = [0, 1, 2, 3, 4, 5, 6, 9, 10, 12]  # HR@10 0.8
POPULARITY_ONLY = BaselinesConfig(item_knn_neighbours=None, ease_l2=None, ials_l2=None)
OPEN = {"popularity_margin": 0.01, "tolerance": 0.99, "significance": 0.0}


@pytest.fixture
def evaluate(tmp_path, save_ranker, write_lists, run_evaluator):
    """Returns a function that runs TFX's Evaluator and reads what it wrote."""
    from ncf_model.evaluation import evaluation_result

    def run(ranks, *, blessed=None, gate=OPEN, lists=POPULARITY, beam=(), **options):
        negatives = options.get("negatives", 12)
        write_lists(
            tmp_path / "examples/Split-eval",
            lists,
            options.get("lengths"),
            catalogue=negatives == "all",
        )
        scores = options.get("scores", {})
        save_ranker(tmp_path / "model/Format-Serving", ranks, **scores)
        if blessed is not None:
            save_ranker(tmp_path / "blessed/Format-Serving", blessed)
        artifact, blessing = run_evaluator(
            tmp_path,
            lists=tmp_path / "examples",
            candidate=tmp_path / "model",
            blessed=None if blessed is None else tmp_path / "blessed",
            config=evaluation.EvaluationConfig(
                gate=evaluation.GateConfig(**gate), baselines=POPULARITY_ONLY
            ),
            negatives=negatives,
            beam=beam,
        )
        result = evaluation_result.read_evaluation(artifact.uri)
        marker = "BLESSED" if result.blessed else "NOT_BLESSED"
        assert os.listdir(tmp_path / "blessing") == [marker]
        reasons = blessing.get_string_custom_property("not_blessed_because")
        assert reasons.splitlines() == [f.message for f in result.failures]
        return result

    return run


def _messages(result):
    assert not result.blessed
    return [failure.message for failure in result.failures]


@pytest.mark.parametrize("workers", [1, 2])
def test_figures_by_hand(evaluate, workers):
    """Lists of different lengths, so that batches differ in width."""
    result = evaluate(
        ranks=[0, 1, 2, 4, 9, 10] * 10,
        lists=[3] * 60,
        lengths=[13, 13, 2, 13, 13, 6] * 10,  # Ranks 0, 1, 1, 4, 9, 5; popularity 1, 3.
        beam=[
            f"--direct_num_workers={workers}",
            "--direct_running_mode=multi_threading",
        ],
    )
    assert result.lists == 60
    assert result.short_lists == 20
    assert result.non_finite_lists == 0
    assert result.blessed_model == {}
    discounts = [1, *(math.log(2) / math.log(rank + 2) for rank in (1, 1, 4, 5, 9))]
    expected = {
        "hit_rate@1": 1 / 6,
        "hit_rate@5": 4 / 6,
        "hit_rate@10": 1.0,
        "hit_rate@20": 1.0,
        "ndcg@1": 1 / 6,
        "ndcg@5": sum(discounts[:4]) / 6,
        "ndcg@10": sum(discounts) / 6,
        "ndcg@20": sum(discounts) / 6,
        "mrr": (1 + 1 / 2 + 1 / 2 + 1 / 5 + 1 / 6 + 1 / 10) / 6,
    }
    assert result.metrics == pytest.approx(expected)
    assert result.baseline.keys() == expected.keys()
    assert result.baseline["mrr"] == pytest.approx((5 * 1 / 4 + 1 / 2) / 6)
    assert result.lift == {"hit_rate@10": 0.0}


def test_whole_catalogue(evaluate):
    result = evaluate(CANDIDATE, blessed=BLESSED, negatives="all")
    assert result.blessed
    assert (result.lists, result.short_lists) == (10, 0)
    assert result.metrics["hit_rate@10"] == pytest.approx(0.6)
    assert result.metrics["hit_rate@1"] == pytest.approx(0.1)
    assert result.baseline["hit_rate@10"] == pytest.approx(0.4)
    assert result.blessed_model["hit_rate@10"] == pytest.approx(0.8)
    assert result.lift["hit_rate@10"] == pytest.approx(0.2)
    # Ten of the catalogue's 13 items are shown; the held-out items are not in it.
    assert result.metrics["coverage@10"] == pytest.approx(10 / 13)
    # Six hits of ten.
    assert result.standard_errors["hit_rate@10"] == pytest.approx(
        (0.6 * 0.4 / 9) ** 0.5
    )
    # These records do not say what popularity would show first.
    assert result.baseline["coverage@10"] is None


def test_every_limit_is_inclusive(evaluate):
    # As floats, 0.6 - 0.8 < -0.2 and 0.6 - 0.4 < 0.2: rounding must not decide.
    assert 0.6 - 0.8 < -0.2
    limits = {"min_hit_rate": 0.6, "popularity_margin": 0.2, "tolerance": 0.2}
    result = evaluate(CANDIDATE, blessed=BLESSED, gate=limits)
    assert result.blessed
    assert result.failures == []
    assert result.metrics["hit_rate@10"] == pytest.approx(0.6)
    assert result.baseline["hit_rate@10"] == pytest.approx(0.4)
    assert result.blessed_model["hit_rate@10"] == pytest.approx(0.8)


def test_every_rule_is_told_with_its_limit_and_its_value(evaluate):
    limits = {"min_hit_rate": 0.61, "popularity_margin": 0.2, "tolerance": 0.2}
    rules = evaluate(CANDIDATE, blessed=BLESSED, gate=limits).rules
    told = [(rule.metric, rule.rule, rule.passed) for rule in rules]
    assert told == [
        ("hit_rate@10", "at least 0.61", False),
        ("popularity/hit_rate_lift@10", "at least 0.2 above popularity's", True),
        (
            "latest_blessed/hit_rate_difference@10",
            "at most 0.2 below the latest blessed model's",
            True,
        ),
        (
            "latest_blessed/hit_rate_p_value@10",
            "no worse than the latest blessed model's beyond chance (p at least 0.05)",
            True,
        ),
        ("non_finite_lists", "at most 0", True),
    ]
    # Only the blessed model hits in two lists: two coins show tails with p = 1/4.
    assert [rule.value for rule in rules] == pytest.approx([0.6, 0.2, -0.2, 0.25, 0])


@pytest.mark.parametrize(
    ("baseline", "broken"),
    [
        ("none", []),
        ("popularity", ["at least 0.01 above popularity's"]),
        (
            "best",
            [
                "at least 0.01 above popularity's",
                "no worse than popularity's beyond chance (p at least 0.05)",
            ],
        ),
    ],
)
def test_what_a_model_has_to_be_better_than(evaluate, baseline, broken):
    """Popularity hits in each of ten lists, the model in none of them."""
    result = evaluate([10] * 10, lists=[0] * 10, gate={"baseline": baseline})
    assert [failure.rule for failure in result.failures] == broken
    paired = result.against_baselines["popularity"]
    assert paired.difference == -1.0
    assert paired.p_value == pytest.approx(1 / 1024)


def test_just_beyond_every_limit(evaluate):
    limits = {"min_hit_rate": 0.61, "popularity_margin": 0.21, "tolerance": 0.19}
    assert sorted(_messages(evaluate(CANDIDATE, blessed=BLESSED, gate=limits))) == [
        "hit_rate@10 is 0.6, popularity's 0.4; it must be at least 0.21 above "
        "popularity's.",
        "hit_rate@10 is 0.6, the latest blessed model's 0.8 on the same lists "
        "(difference ± 0.13); it must be at most 0.19 below the latest blessed "
        "model's.",
        "hit_rate@10 is 0.6; it must be at least 0.61.",
    ]


def test_a_model_with_nan_is_refused_with_that_reason(evaluate):
    result = evaluate(CANDIDATE, blessed=BLESSED, scores={"u3": math.nan})
    assert result.lists == 10
    assert result.non_finite_lists == 1
    assert result.metrics["hit_rate@10"] is None
    first, *others = _messages(result)
    assert first == (
        "The model gives NaN or infinite scores in 1 of 10 lists, so it cannot be "
        "evaluated; a smaller learning rate may help."
    )
    assert others
    assert all("is not a number" in message for message in others)


def test_a_floor_of_a_slice_without_lists_is_a_reason(evaluate):
    gate = OPEN | {"min_hit_rate_of_slices": {"item_warmth=cold": 0.1}}
    assert _messages(evaluate(CANDIDATE, gate=gate)) == [
        "The slice item_warmth=cold has a floor but no list; take the "
        "floor out of `min_hit_rate_of_slices`."
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"top_k": [1, 5]}, r"`top_k` must hold 10.* got \[1, 5\]"),
        ({"top_k": [0, 10]}, "greater than 0"),
        ({"gate": {"popularity_margin": 0}}, "greater than 0"),
        ({"gate": {"min_hit_rate": 1.1}}, "less than or equal to 1"),
        (
            {"gate": {"replace_equal": False, "tolerance": 0.01}},
            "`tolerance` must be 0; got 0.01",
        ),
        (
            {"gate": {"min_hit_rate_of_slices": {"item_popularity=last": 0.1}}},
            "must name each slice as `feature=group`.*got 'item_popularity=last'",
        ),
        (
            {"gate": {"baseline": "best", "significance": 0.0}},
            "`significance`, which must be above 0; got 0.0",
        ),
        ({"gates": {}}, "Extra inputs are not permitted"),
    ],
)
def test_rejects(values, message):
    with pytest.raises(pydantic.ValidationError, match=message):
        evaluation.EvaluationConfig.model_validate(values)
