"""The result in words and figures that a reader can work out by hand."""

import io
import pathlib

import pytest
from rich.console import Console

from components.report.document import Summary
from pipeline.local import result

SUMMARY = {
    "dataset": "tiny",
    "num_users": 1234,
    "num_items": 4,
    "num_interactions": 9,
    "metrics": {"hit_rate@10": 0.5, "ndcg@10": None},
    "standard_errors": {"hit_rate@10": 0.03},
    "baselines": {"popularity": {"hit_rate@10": 0.25}, "ease": {}},
    "baseline_standard_errors": {"popularity": {"hit_rate@10": 0.04}, "ease": {}},
    "blessed": True,
    "not_blessed_because": [],
    "pushed_to": "/serving/7",
    "data": {"rows_read": 10},
    "train": {"examples_per_second": 1, "epochs": 1, "best_epoch": 1, "final_loss": 1},
}


@pytest.fixture
def console():
    return Console(file=io.StringIO(), width=100, highlight=False)


def _printed(console, **changed):
    result.print_summary(console, Summary.model_validate(SUMMARY | changed))
    return console.file.getvalue()


def test_a_table_with_the_best_of_each_row_marked(console):
    text = _printed(console)
    assert "tiny: 1,234 users, 4 items, 9 interactions" in text
    [row] = [
        line
        for line in text.splitlines()
        if "HR@10" in line and "±" in line and "0.5" in line
    ]
    assert "HR@10" in row
    assert "0.5000*" in row
    assert "0.2500 " in row
    [row] = [line for line in text.splitlines() if "NDCG@10" in line]
    assert "none" in row
    assert "pushed to /serving/7" in text


def test_a_narrow_terminal_cuts_no_figure():
    console = Console(file=io.StringIO(), width=40, highlight=False)
    text = _printed(console, pushed_to="/7")
    [row] = [line for line in text.splitlines() if "0.5000*" in line]
    assert row.split() == ["HR@10", "0.5000*", "0.2500", "none"]
    assert "…" not in text


def test_what_decides_stands_first(console):
    figures = {"mrr": 0.2, "hit_rate@1": 0.1, "ndcg@10": 0.3, "hit_rate@10": 0.5}
    text = _printed(console, metrics=figures, standard_errors={}, baselines={})
    rows = [line.split()[1] for line in text.splitlines() if line.startswith("│")]
    assert rows == ["HR@10", "NDCG@10", "MRR", "HR@1"]


def test_says_why_a_model_is_not_blessed(console):
    reasons = ["[floor] 0.5 < 0.6"]
    text = _printed(console, blessed=False, not_blessed_because=reasons)
    assert "[floor] 0.5 < 0.6" in text
    assert "pushed to" not in text


@pytest.mark.parametrize("blessed", [True, False])
def test_names_what_was_not_compared(console, blessed):
    told = ["The model in service, version 7, is not compared: [why]"]
    assert told[0] in _printed(console, blessed=blessed, not_compared=told)


def test_a_path_is_not_broken_over_lines(console):
    path = "/a folder/" + "x" * 200
    assert f"pushed to {path}\n" in _printed(console, pushed_to=path)


def test_a_model_that_a_baseline_beats_is_not_praised(console):
    # The error of the difference is the square root of .03^2 + .04^2, which is .05.
    beaten = {
        "baselines": {"ease": {"hit_rate@10": 0.61}},
        "baseline_standard_errors": {"ease": {"hit_rate@10": 0.04}},
    }
    text = _printed(console, **beaten)
    assert "EASE is best on these lists: its HR@10 is 0.1100 above that of the" in text
    assert "(2.2 standard errors)" in " ".join(text.split())
    assert "Note that EASE is clearly better" in text


def test_the_tables_heading_says_what_was_ranked(console):
    assert "of 100 candidates" in _printed(console, candidates="of 100 candidates")


def test_says_where_the_report_is_and_how_to_ask(console, monkeypatch):
    monkeypatch.setattr(result.shutil, "which", lambda name: f"/bin/{name}")
    users = {"users": [{"user_id": "it's u 1", "interactions": 1}]}
    out = pathlib.Path("/a run")
    for changed in (users, users | {"pushed_to": None}):
        result.print_next(console, Summary.model_validate(SUMMARY | changed), out)
    assert console.file.getvalue().splitlines() == [
        "Report: /a run/report/index.html",
        """Ask it: ncf recommend --user 'it'"'"'s u 1' --out '/a run'""",
        "Report: /a run/report/index.html",
    ]


def test_says_how_many_users_are_not_evaluated(console):
    lists = {"users_without_eval": 3, "eval_lists": 9}
    text = _printed(console, data={"rows_read": 10, "num_users": 12}, lists=lists)
    assert "Of 12 users 3 (25%) have no item to evaluate them on." in text


def test_what_was_left_out_in_words():
    data = {
        "rows_read": 1000,
        "rows_skipped": 250,
        "duplicates_dropped": 2,
        "users_dropped_by_filter": 3,
        "num_users": 40,
        "users_without_eval": 30,
        "has_timestamps": 0,
    }
    said = result.left_out(data)
    assert said[0] == (
        "Of 1,000 rows 250 (25%) could not be read and are left out, 2 repeat a user "
        "and an item and count once."
    )
    assert "3 users" in said[1]
    assert said[2] == "Of 40 users 30 (75%) have no item to evaluate them on."
    assert "the order of its rows stands for it" in said[3]
    sampled = {"num_users": 90, "users_not_sampled": 68, "users_without_eval": 6}
    said = result.left_out(sampled)
    assert said == ["Of 22 sampled users 6 (27%) have no item to evaluate them on."]
    assert result.left_out({"rows_read": 9, "has_timestamps": 1}) == []
