"""summary.json: the contract's fields, and strict JSON."""

import importlib.metadata
import json

import pytest

from components.report import document
from tests.components.report import examples


def _summarise(**changes):
    """Returns summary.json as parsed by a reader."""
    return json.loads(examples.result(**changes).to_json())


def test_has_the_fields_of_the_contract():
    result = _summarise()
    assert result["dataset"] == "tiny <b>"
    assert result["metrics"]["hit_rate@10"] == 0.5
    assert result["metrics"]["ndcg@10"] == 0.375
    assert result["baseline"] == {"hit_rate@10": 0.25, "ndcg@10": 0.125}
    assert (result["num_users"], result["num_items"]) == (3, 4)
    assert result["num_interactions"] == 9
    assert (result["blessed"], result["pushed_to"]) == (True, "/serving/7")
    assert result["not_pushed_because"] is None
    assert result["standard_errors"] == {"hit_rate@10": 0.0625}
    assert result["baseline_standard_errors"] == {
        "popularity": {"hit_rate@10": 0.03125},
        "ease": {"hit_rate@10": None},
    }
    assert result["baselines"]["ease"] == {"hit_rate@10": None}
    assert result["blessed_model"] == {"hit_rate@10": 0.4375}
    assert result["train"] == {
        "examples_per_second": 1000.0,
        "epochs": 2,
        "best_epoch": 2,
        "final_loss": 0.25,
    }
    assert result["lists"]["eval_lists"] == 3000
    assert "tfx_version" not in result["lists"]
    assert result["versions"]["tfx"]


def test_a_slice_has_the_figures_of_its_lists():
    tail = _summarise()["slices"]["item_popularity=tail"]
    assert tail["lists"] == 2
    assert tail["metrics"] == {"hit_rate@10": 0.75}
    assert tail["standard_errors"] == {"hit_rate@10": 0.25}
    assert tail["baselines"] == {"popularity": {"hit_rate@10": 0.0}}


def test_keeps_what_the_history_has_beyond_the_declared_keys():
    history = _summarise(history=examples.HISTORY | {"resolved": {"mf_dim": 16}})
    assert history["history"]["resolved"] == {"mf_dim": 16}
    assert history["history"]["epochs"][0]["hit_rate@10"] == 0.25


@pytest.mark.parametrize(
    ("sampling", "candidates"),
    [
        ('{"eval_negatives": 99}', "of 100 candidates"),
        ('{"eval_negatives": "all"}', "of the whole catalogue"),
        ("", ""),
    ],
)
def test_says_what_was_ranked(sampling, candidates):
    assert _summarise(lists={"sampling": sampling})["candidates"] == candidates


def test_lists_of_a_small_catalogue_are_not_said_to_be_longer():
    lists = {"sampling": '{"eval_negatives": 99}'}
    evaluation = examples.EVALUATION | {"lists": 3, "short_lists": 3}
    found = _summarise(lists=lists, evaluation=evaluation)
    assert found["candidates"] == "of 100 candidates or fewer"


def test_says_why_a_baseline_has_no_figures():
    reasons = _summarise()["baselines_left_out"]
    assert list(reasons) == ["ease"]
    assert reasons["ease"] == "was left out: it would take about 9 MB"
    nothing_known = _summarise(context={})["baselines_left_out"]
    assert nothing_known == {"ease": "was left out; the log of EvalContext says why"}


def test_says_how_the_baselines_were_set():
    settings = _summarise()["baseline_settings"]
    assert settings == {"item_knn": {"neighbours": 20, "tried": [{}, {}]}}


@pytest.mark.parametrize("build", ["tensorflow", "tensorflow-cpu", "tensorflow-tpu"])
def test_knows_tensorflow_by_each_of_its_names(monkeypatch, build):
    def version(name):
        if name.startswith("tensorflow") and name not in (
            build,
            "tensorflow-model-analysis",
        ):
            raise importlib.metadata.PackageNotFoundError(name)
        return f"of {name}"

    monkeypatch.setattr(importlib.metadata, "version", version)
    assert _summarise()["versions"]["tensorflow"] == f"of {build}"


def test_a_blessed_model_that_was_not_pushed_says_why():
    result = _summarise(pushed={"pushed": 0, "not_pushed_because": "taken back"})
    assert (result["blessed"], result["pushed_to"]) == (True, None)
    assert result["not_pushed_because"] == "taken back"


def test_a_model_that_is_not_blessed_is_not_pushed_and_says_why():
    failure = {
        "metric": "hit_rate@10",
        "rule": "at least 0.5",
        "value": examples.NAN,
        "message": "hit_rate@10 is nan",
    }
    result = _summarise(
        evaluation={
            "metrics": {"hit_rate@10": examples.NAN},
            "failures": [failure],
        },
        blessing={"blessed": 0},
        pushed={"pushed": 0},
    )
    assert (result["blessed"], result["pushed_to"]) == (False, None)
    assert result["not_pushed_because"] is None
    assert result["not_blessed_because"] == ["hit_rate@10 is nan"]
    assert result["metrics"] == {"hit_rate@10": None}
    assert [rule["passed"] for rule in result["rules"]] == [False]


@pytest.mark.parametrize(
    ("history", "of_pairs"), [({"model.history": None}, True), ({}, False)]
)
def test_a_model_without_history_is_of_pairs(history, of_pairs):
    config = {
        name: document.Setting(value=value, default="set")
        for name, value in history.items()
    }
    made = examples.result().model_copy(update={"config": config})
    assert made.of_pairs is of_pairs
