import json
import math

import numpy as np
import pytest
import tfx  # noqa: F401  # Before TFMA: see ncf_model/evaluation/metrics.py.
from sklearn.metrics import ndcg_score
from tensorflow_model_analysis.metrics import metric_types

from ncf_model.evaluation import metrics

# Scores by list. The ranks are 0, 1 (a tie counts against the model), 3 and 0.
LISTS = ([3.0, 1.0, 2.0], [2.0, 2.0, 1.0], [0.0, 5.0, 4.0, 3.0], [1.0])
# Popularity ranks the held-out items at 2, 0, 0 and 0.
POPULARITY = ([0, 7, 7], [9, 0, 0], [2, 1, 1, 1], [0])


def _records(lists=LISTS, popularity=POPULARITY):
    """Records as TFMA hands them to a metric: one list each, without a batch."""
    return [
        {
            "features": {
                "candidate_ids": np.array([b"x"] * len(scores)),
                "candidate_popularity": np.array(popular),
            },
            "predictions": np.array(scores, np.float32),
        }
        for scores, popular in zip(lists, popularity, strict=True)
    ]


def _compute(metric, records, model_names=("",), size=1):
    """Runs a metric's computations in the order in which TFMA runs them.

    The records are split into parts of `size`, as if each part were on a worker.
    """
    results = {}
    for computation in metric.computations(model_names=list(model_names)):
        if isinstance(computation, metric_types.DerivedMetricComputation):
            results |= computation.result(results)
            continue
        (preprocessor,) = computation.preprocessors
        combiner = computation.combiner
        parts = []
        for start in range(0, len(records), size):
            part = combiner.create_accumulator()
            for record in records[start : start + size]:
                part = combiner.add_inputs(part, preprocessor.process(record))
            parts.append(part)
        results |= combiner.extract_output(combiner.merge_accumulators(parts))
    return {
        (key.model_name, key.name): value
        for key, value in results.items()
        if not key.name.startswith("_")
    }


def _value(metric, records):
    return _compute(metric, records)["", metric.name]


@pytest.mark.parametrize(
    ("metric", "name", "value"),
    [
        (metrics.HitRateAtK(1), "hit_rate@1", 2 / 4),
        (metrics.HitRateAtK(2), "hit_rate@2", 3 / 4),
        (metrics.HitRateAtK(3), "hit_rate@3", 3 / 4),
        (metrics.HitRateAtK(4), "hit_rate@4", 1.0),
        (metrics.NDCGAtK(2), "ndcg@2", (1 + 0.6309297535714575 + 1) / 4),
        (metrics.NDCGAtK(4), "ndcg@4", (1 + 0.6309297535714575 + 0.430676558 + 1) / 4),
        (metrics.MRR(), "mrr", (1 + 1 / 2 + 1 / 4 + 1) / 4),
        (metrics.Lists(), "lists", 4),
        (metrics.ShortLists(4), "short_lists", 3),
        (metrics.ShortLists(3), "short_lists", 1),
        (metrics.NonFiniteLists(), "non_finite_lists", 0),
        (
            metrics.HitRateLift(1, "candidate_popularity"),
            "popularity/hit_rate_lift@1",
            -1 / 4,
        ),
        (metrics.HitRateAtK(1, "candidate_popularity"), "popularity/hit_rate@1", 3 / 4),
        (metrics.MRR("candidate_popularity"), "popularity/mrr", (1 / 3 + 3) / 4),
    ],
)
def test_by_hand(metric, name, value):
    assert metric.name == name
    assert _value(metric, _records()) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize(
    ("metric", "squares"),
    [
        # Hits 1, 0, 0, 1 have mean .5; reciprocal ranks 1, .5, .25, 1 have mean .6875.
        (metrics.HitRateAtK(1), 4 * 0.5**2),
        (metrics.MRR(), 2 * 0.3125**2 + 0.1875**2 + 0.4375**2),
        # Hits 0, 1, 1, 1 have mean .75.
        (metrics.HitRateAtK(1, "candidate_popularity"), 0.75**2 + 3 * 0.25**2),
    ],
)
def test_standard_error_by_hand(metric, squares):
    figures = _compute(metric, _records())
    assert figures.keys() == {("", metric.name), ("", f"{metric.name}_standard_error")}
    error = figures["", f"{metric.name}_standard_error"]
    assert error == pytest.approx((squares / 3 / 4) ** 0.5)


def test_standard_error_is_that_of_the_mean():
    """The means of many samples of lists have that standard deviation."""
    rng = np.random.default_rng(0)
    records = _records(rng.normal(size=(3000, 20)), np.zeros((3000, 20)))
    figures = np.array(
        [
            list(_compute(metrics.NDCGAtK(10), records[start : start + 30]).values())
            for start in range(0, 3000, 30)
        ]
    )
    assert figures[:, 0].std() == pytest.approx(figures[:, 1].mean(), rel=0.2)


def test_a_single_list_has_no_standard_error():
    figures = _compute(metrics.MRR(), _records(LISTS[:1], POPULARITY[:1]))
    assert figures["", "mrr"] == 1.0
    assert math.isnan(figures["", "mrr_standard_error"])


def test_ndcg_is_that_of_scikit_learn():
    scores = np.random.default_rng(0).normal(size=(50, 20))
    held_out = np.zeros_like(scores)
    held_out[:, 0] = 1
    for k in (1, 5, 10):
        # These scores have no ties: scikit-learn averages over ties, our NDCG does not.
        expected = ndcg_score(held_out, scores, k=k)
        records = _records(scores, np.zeros((50, 20)))
        assert _value(metrics.NDCGAtK(k), records) == pytest.approx(expected)


def test_padding_does_not_count():
    records = _records()
    for record in records:
        padding = np.full(5, -np.inf, np.float32)
        record["predictions"] = np.append(record["predictions"], padding)
    assert _value(metrics.MRR(), records) == pytest.approx(2.75 / 4)
    assert _value(metrics.NonFiniteLists(), records) == 0
    assert _value(metrics.ShortLists(4), records) == 3


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 2])
def test_a_score_that_is_not_finite_has_no_rank(bad, place):
    scores = [3.0, 2.0, 1.0]
    scores[place] = bad
    records = _records([scores, *LISTS[1:]])
    assert _value(metrics.NonFiniteLists(), records) == 1
    assert _value(metrics.Lists(), records) == 4
    for metric in (metrics.HitRateAtK(3), metrics.NDCGAtK(3), metrics.MRR()):
        assert math.isnan(_value(metric, records))
    lift = metrics.HitRateLift(3, "candidate_popularity")
    assert math.isnan(_value(lift, records))
    # The metric of popularity on the same lists is finite.
    assert _value(metrics.HitRateAtK(1, "candidate_popularity"), records) == 3 / 4


def test_lift_is_exact_where_the_difference_of_rates_is_not():
    assert 3 / 10 - 2 / 10 < 0.1
    lists = [[1.0, 0.0]] * 3 + [[0.0, 1.0]] * 7
    popularity = [[1, 0]] * 2 + [[0, 1]] * 8
    lift = metrics.HitRateLift(1, "candidate_popularity")
    assert _value(lift, _records(lists, popularity)) == 0.1


def test_two_models_are_told_apart():
    records = _records()
    for record in records:
        scores = record["predictions"]
        record["predictions"] = {"candidate": scores, "baseline": -scores}
    names = ("candidate", "baseline")
    records[1]["predictions"]["baseline"] = np.array([1.0, 0.0, 0.0])
    hit_rate = _compute(metrics.HitRateAtK(1), records, names)
    assert hit_rate["candidate", "hit_rate@1"] == 2 / 4
    assert hit_rate["baseline", "hit_rate@1"] == 3 / 4  # Only the first is missed.
    popularity = metrics.HitRateAtK(1, "candidate_popularity")
    figures = _compute(popularity, records, names)
    assert {figures[model, popularity.name] for model in names} == {3 / 4}


def test_every_list_is_ranked_once_for_all_metrics():
    of_popularity = {"scores": "candidate_popularity"}
    everything = [
        *(
            metrics.HitRateAtK(k, **source)
            for k in (1, 5)
            for source in ({}, of_popularity)
        ),
        *(
            metrics.NDCGAtK(k, **source)
            for k in (1, 5)
            for source in ({}, of_popularity)
        ),
        metrics.HitRateLift(10, "candidate_popularity"),
        metrics.MRR(),
        metrics.Lists(),
        metrics.ShortLists(100),
        metrics.NonFiniteLists(),
    ]
    counted = {
        computation
        for metric in everything
        for computation in metric.computations(model_names=["candidate", "baseline"])
        if isinstance(computation, metric_types.MetricComputation)
    }
    assert len(counted) == 3  # One each for two models and popularity.


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r["features"].pop("candidate_ids"), "must hold `candidate_ids`"),
        (
            lambda r: r["features"].update(candidate_popularity=np.array([1, 2])),
            "`candidate_popularity` must give one score per candidate, 3 for this "
            "list; it gave 2",
        ),
        (lambda r: r["features"].pop("candidate_popularity"), "it gave 0"),
        (
            lambda r: r.update(predictions=np.array([1.0, 2.0])),
            "`model` must give one score per candidate, 3 for this list; it gave 2",
        ),
    ],
)
def test_records_that_cannot_be_ranked(change, message):
    (record,) = _records(LISTS[:1], POPULARITY[:1])
    change(record)
    with pytest.raises(ValueError, match=message):
        _value(metrics.HitRateLift(1, "candidate_popularity"), [record])


def _catalogue_record(scores, **ranks):
    """A record of an evaluation that ranks the whole catalogue."""
    return {
        "features": {
            "candidate_ids": np.array([b"x"]),
            "candidate_popularity": np.array([1]),
            "seen_ids": np.array([b"y"]),
        }
        | {name: np.array([rank]) for name, rank in ranks.items()},
        "predictions": np.array(scores, np.float32),
    }


def test_whole_catalogue():
    gone, own = -math.inf, math.inf
    records = [
        _catalogue_record([3.0, 4.0, gone, own, 3.0, 2.0], popularity_rank=1),
        _catalogue_record([3.0, own, 2.0, gone], popularity_rank=0),
    ]
    assert _value(metrics.MRR(), records) == pytest.approx((1 / 3 + 1) / 2)
    assert _value(metrics.NonFiniteLists(), records) == 0
    assert _value(metrics.Lists(), records) == 2
    popularity = {"scores": "candidate_popularity"}
    assert _value(metrics.MRR(**popularity), records) == (1 / 2 + 1) / 2
    assert _value(metrics.HitRateAtK(1, **popularity), records) == 1 / 2
    lift = metrics.HitRateLift(2, "candidate_popularity")
    assert _value(lift, records) == -1 / 2


@pytest.mark.parametrize("size", [1, 2])
def test_coverage_by_hand(size):
    gone, own = -math.inf, math.inf
    records = [
        # Recommends items 1, 0 (held out), 3 and 4; of the tied items 3 comes first.
        _catalogue_record([3.0, own, 4.0, gone, 2.0, 2.0]),
        # Recommends items 2 and 1; no other item is unseen.
        _catalogue_record([5.0, gone, 1.0, own, gone, gone]),
    ]
    figures = _compute(metrics.Coverage([1, 2, 3, 4]), records, size=size)
    assert figures == {
        ("", "coverage@1"): 2 / 5,
        ("", "coverage@2"): 3 / 5,
        ("", "coverage@3"): 4 / 5,
        ("", "coverage@4"): 5 / 5,
    }


def test_coverage_of_a_baseline_is_of_the_items_in_the_record():
    records = [
        _catalogue_record([1.0, 0.0, 0.0, 0.0, 0.0], ease_first=first)
        for first in ([2, 0], [2, -1])
    ]
    assert _compute(metrics.Coverage([1, 2], "candidate_ease"), records) == {
        ("", "ease/coverage@1"): 1 / 4,
        ("", "ease/coverage@2"): 2 / 4,
    }
    left_out = [_catalogue_record([1.0, 0.0, 0.0])]
    coverage = _compute(metrics.Coverage([1], "candidate_ease"), left_out)
    assert math.isnan(coverage["", "ease/coverage@1"])


def test_coverage_of_each_model_is_of_its_own_catalogue():
    record = _catalogue_record([])
    own = math.inf
    record["predictions"] = {
        "candidate": np.array([1.0, own, 0.0]),
        # The held-out item is not in the baseline's catalogue.
        "baseline": np.array([9.0, 0.0, 2.0, 1.0, 0.0]),
    }
    names = ("candidate", "baseline")
    assert _compute(metrics.Coverage([1]), [record], names) == {
        ("candidate", "coverage@1"): 1 / 2,
        ("baseline", "coverage@1"): 1 / 4,
    }


def test_coverage_of_sampled_lists_is_refused():
    with pytest.raises(ValueError, match="needs records with `seen_ids`"):
        _compute(metrics.Coverage([10]), _records())


@pytest.mark.parametrize(
    "scores",
    [
        [-math.inf, 1.0, 2.0],
        [math.nan, 1.0, 2.0],
        [1.0, math.nan, -math.inf],
    ],
)
def test_a_catalogue_with_a_score_that_is_not_finite(scores):
    records = [_catalogue_record(scores), _catalogue_record([1.0, 0.0, 2.0])]
    assert _value(metrics.NonFiniteLists(), records) == 1
    assert math.isnan(_value(metrics.HitRateAtK(10), records))
    coverage = _compute(metrics.Coverage([1]), records)
    assert math.isnan(coverage["", "coverage@1"])


def test_a_baseline_that_was_left_out_has_no_figures():
    records = [_catalogue_record([1.0, 0.0], ease_rank=-1)]
    assert math.isnan(_value(metrics.MRR("candidate_ease"), records))


@pytest.mark.parametrize(
    ("record", "message"),
    [
        (
            _catalogue_record([1.0], popularity_rank=0),
            "must score the whole catalogue .* it gave 1 score",
        ),
        (_catalogue_record([1.0, 0.0]), "must hold one `popularity_rank`; .* holds 0"),
    ],
)
def test_catalogues_that_cannot_be_ranked(record, message):
    with pytest.raises(ValueError, match=message):
        _value(metrics.HitRateLift(1, "candidate_popularity"), [record])


def test_top_k_is_positive():
    for metric in (metrics.HitRateAtK, metrics.NDCGAtK, metrics.ShortLists):
        with pytest.raises(ValueError, match="must be >= 1; got 0"):
            metric(0)
    with pytest.raises(ValueError, match="must be >= 1; got 0"):
        metrics.Coverage([1, 0])


def test_survives_the_trip_through_its_configuration():
    metric = metrics.HitRateLift(5, "candidate_ease")
    again = metrics.HitRateLift.from_config(json.loads(json.dumps(metric.get_config())))
    assert again.name == "ease/hit_rate_lift@5"


def test_no_metric_of_tfma_takes_the_place_of_ours():
    ours = {
        name
        for name, value in vars(metrics).items()
        if isinstance(value, type) and issubclass(value, metric_types.Metric)
    }
    assert len(ours) == 8
    assert not ours & set(metric_types.registered_metrics())
