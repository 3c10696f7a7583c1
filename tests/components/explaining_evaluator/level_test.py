"""Levels, rules against absent models, and how much worse a series can get."""

import json

import numpy as np
import pytest

from components.explaining_evaluator import level
from components.latest_pushed_model import executor as pushed
from ncf_model.evaluation.paired import PairedHits
from ncf_model.evaluation.result import Paired
from ncf_model.serving.version_record import VersionRecord
from pipeline import evaluation

BEST = {"best_blessed": '{"id": 3, "level": 0.25}'}
LATEST = {"latest_blessed": '{"id": 2, "level": 0.125}'}


def _differences(**values):
    return {name: Paired(difference=value) for name, value in values.items()}


@pytest.mark.parametrize(
    ("properties", "expected"),
    [
        ({}, 0.0),
        (LATEST, 0.125 - 0.5),
        (LATEST | BEST, 0.25 - 0.625),
        (LATEST | {"best_blessed": ""}, 0.125 - 0.5),
    ],
)
def test_a_level_is_the_bests_and_the_difference(properties, expected):
    found = _differences(latest_blessed=-0.5, best_blessed=-0.625)
    assert level.of_candidate(found, level.rivals(properties)) == expected


def _metrics(eval_config):
    (spec,) = json.loads(eval_config)["metrics_specs"]
    return {json.loads(m["config"]).get("over") for m in spec["metrics"]}


def test_rules_against_a_model_that_there_is_not_are_left_out():
    from tfx.utils import proto_utils

    whole = proto_utils.proto_to_json(
        evaluation.eval_config(evaluation.EvaluationConfig(), eval_negatives=99)
    )
    assert {"latest_blessed", "best_blessed"} <= _metrics(whole)
    one = level.without_absent(whole, level.rivals(LATEST))
    assert "best_blessed" not in one
    assert "latest_blessed" in _metrics(one)
    none = level.without_absent(whole, {})
    assert "_blessed" not in none
    assert "hit_rate@10" in none or "HitRateAtK" in none


class _Version:
    """A pushed model with hits on some of the evaluation lists."""

    def __init__(self, hits):
        self.hits = hits
        self.record = VersionRecord()

    def differs(self, other):
        pairs = PairedHits()
        for new, old in zip(self.hits, other.hits, strict=True):
            pairs.add(bool(new), bool(old))
        return pairs


def _hits(version):
    return version.hits.sum()


def _passes(pairs, gate):
    """Both rules for a blessing, as `pipeline.evaluation` gives them to TFMA."""
    return pairs.difference >= -gate.tolerance and pairs.p_value >= gate.significance


def _push_all(candidates, *, gate, lost=()):
    """Returns the versions that stay; after each of `lost` the oldest is deleted."""
    kept = []
    for number, candidate in enumerate(candidates):
        # LatestPushedModel names the rivals so, and BlessedRanks chooses among them.
        latest = kept[0] if kept else None
        best = max([*kept[:1], *pushed.best_of(kept)], key=_hits, default=None)
        rivals = {
            "latest_blessed": latest,
            "best_blessed": None if best is latest else best,
        }
        present = {n: x for n, x in rivals.items() if x is not None}
        compared = {name: candidate.differs(x) for name, x in present.items()}
        if all(_passes(pairs, gate) for pairs in compared.values()):
            noted = {n: x.record.blessing for n, x in present.items()}
            found = {n: Paired(difference=p.difference) for n, p in compared.items()}
            height = level.of_candidate(found, noted)
            blessing = {"level": repr(height)}
            candidate.record = VersionRecord(blessing=blessing, digest=str(number))
            kept.insert(0, candidate)
        if number in lost:
            kept.pop(-1)
    return kept


def test_a_series_that_sinks_ends_one_tolerance_below_the_best():
    """Each model has one hit in 1,000 lists less than the one before."""
    hits = [np.arange(1000) < 647 - number for number in range(230)]
    gate = evaluation.GateConfig(significance=0.0)
    kept = _push_all([_Version(x) for x in hits], gate=gate)
    assert kept[0].hits.sum() == 637
    with_chance = _push_all([_Version(x) for x in hits], gate=evaluation.GateConfig())
    assert with_chance[0].hits.sum() == 643  # 4 of 4 lists lost: p .0625; 5: .031


@pytest.mark.parametrize("seed", range(5))
def test_no_series_ends_more_than_one_tolerance_below_the_best(seed):
    rng = np.random.default_rng(seed)
    rates = np.clip(0.6 + np.cumsum(rng.normal(0, 0.01, 60)), 0.3, 0.9)
    candidates = [_Version(rng.random(400) < rate) for rate in rates]
    gate = evaluation.GateConfig(tolerance=0.02)
    kept = _push_all(candidates, gate=gate)
    assert len(kept) > 2
    best = max(version.hits.mean() for version in kept)
    assert kept[0].hits.mean() >= best - 0.02 - 1e-9
    # The same holds against the versions that are left if the oldest are deleted.
    left = _push_all(candidates, gate=gate, lost={20, 30, 40})
    best = max(version.hits.mean() for version in left)
    assert left[0].hits.mean() >= best - 0.02 - 1e-9
