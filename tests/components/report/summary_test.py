"""summary.json: the contract's fields, and strict JSON."""

import importlib.metadata
import json

import pytest

from components.report import page, summary

HISTORY = {
    "epochs": [
        {
            "epoch": epoch,
            "loss": loss,
            "hit_rate@10": 0.25,
            "ndcg@10": 0.125,
            "seconds": 1.5,
            "examples_per_second": 1000.0,
        }
        for epoch, loss in ((1, 0.5), (2, 0.25))
    ],
    "best_epoch": 2,
    "examples_per_second": 1000.0,
    "final_loss": 0.25,
}


def _summarise(**changes):
    given = {
        "dataset": "tiny <b>",
        "interactions": {"num_users": 3, "num_items": 4, "num_interactions": 9},
        "lists": {"short_lists": 1, "eval_lists": 3000, "tfx_version": "1.16.0"},
        "history": HISTORY,
        "evaluation": {
            "metrics": {"hit_rate@10": 0.5, "ndcg@10": 0.375},
            "standard_errors": {"hit_rate@10": 0.0625},
            "baseline_standard_errors": {
                "popularity": {"hit_rate@10": 0.03125},
                "ease": {"hit_rate@10": float("nan")},
            },
            "baseline": {"hit_rate@10": 0.25, "ndcg@10": 0.125},
            "baselines": {
                "popularity": {"hit_rate@10": 0.25, "ndcg@10": 0.125},
                "ease": {"hit_rate@10": float("nan")},
            },
            "slices": {
                "item_popularity=tail": {
                    "lists": 2,
                    "metrics": {"hit_rate@10": 0.75},
                    "standard_errors": {"hit_rate@10": 0.25},
                    "baselines": {"popularity": {"hit_rate@10": 0.0}},
                    "baseline_standard_errors": {},
                }
            },
            "failures": [],
        },
        "blessing": {"blessed": 1},
        "pushed": {"pushed": 1, "pushed_destination": "/serving/7"},
    }
    return summary.summarise(**(given | changes))


def test_has_the_fields_of_the_contract():
    result = _summarise()
    assert result["metrics"] == {"hit_rate@10": 0.5, "ndcg@10": 0.375}
    assert result["baseline"] == {"hit_rate@10": 0.25, "ndcg@10": 0.125}
    assert (result["num_users"], result["num_items"]) == (3, 4)
    assert result["num_interactions"] == 9
    assert (result["blessed"], result["pushed_to"]) == (True, "/serving/7")
    assert result["standard_errors"] == {"hit_rate@10": 0.0625}
    assert result["baseline_standard_errors"] == {
        "popularity": {"hit_rate@10": 0.03125},
        "ease": {"hit_rate@10": None},
    }
    assert result["baselines"]["ease"] == {"hit_rate@10": None}
    assert result["slices"]["item_popularity=tail"] == {
        "lists": 2,
        "metrics": {"hit_rate@10": 0.75},
        "standard_errors": {"hit_rate@10": 0.25},
        "baselines": {"popularity": {"hit_rate@10": 0.0}},
        "baseline_standard_errors": {},
    }
    assert result["train"] == {
        "examples_per_second": 1000.0,
        "epochs": 2,
        "best_epoch": 2,
        "final_loss": 0.25,
    }
    assert list(result["lists"].items()) == [("eval_lists", 3000), ("short_lists", 1)]
    assert result["versions"]["tfx"]


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
    assert "taken back" in page.render(result, HISTORY)


def test_a_model_that_is_not_blessed_is_not_pushed_and_says_why():
    result = _summarise(
        evaluation={
            "metrics": {"hit_rate@10": float("nan")},
            "standard_errors": {},
            "baseline": {},
            "baselines": {},
            "baseline_standard_errors": {},
            "slices": {},
            "failures": [{"message": "hit_rate@10 is nan"}],
        },
        blessing={"blessed": 0},
        pushed={"pushed": 0},
    )
    assert (result["blessed"], result["pushed_to"]) == (False, None)
    assert result["not_blessed_because"] == ["hit_rate@10 is nan"]
    assert result["metrics"] == {"hit_rate@10": None}
    json.dumps(result, allow_nan=False)


def test_the_page_shows_the_figures_and_escapes_names():
    html = page.render(_summarise(), HISTORY)
    assert "tiny &lt;b&gt;" in html
    assert '<td>0.5000 <span class="muted">± 0.0625</span></td>' in html
    assert '<td>0.2500 <span class="muted">± 0.0312</span></td>' in html
    assert "<td>0.3750</td>" in html
    assert '<td>0.7500 <span class="muted">± 0.2500</span></td>' in html
    assert "<td>0.0000</td>" in html
    assert "/serving/7" in html
    assert "<td>3,000</td>" in html
    assert html.count('<tr class="best">') == 1


@pytest.mark.parametrize("blessed", [0, 1])
def test_the_page_gives_the_verdict(blessed):
    result = _summarise(
        blessing={"blessed": blessed},
        evaluation={
            "metrics": {"hit_rate@10": 0.5},
            "standard_errors": {},
            "baseline": {},
            "baselines": {},
            "baseline_standard_errors": {},
            "slices": {},
            "failures": [{"message": "below the floor"}],
        },
    )
    html = page.render(result, HISTORY)
    assert ("<strong>Blessed</strong>" in html) == bool(blessed)
    assert ("below the floor" in html) == (not blessed)
