"""What the web pages of Kubeflow and Vertex show of a run: metrics and the report."""

import json

import pytest

from pipeline.cluster import entrypoint, ui_outputs

SUMMARY = {
    "metrics": {"hit_rate@10": 0.7, "ndcg@10": 0.4, "mrr": float("nan")},
    "baseline": {"hit_rate@10": 0.5, "ndcg@10": 0.2, "mrr": 0.1},
    "blessed_model": {"ndcg@10": 0.3},
    "blessed": False,
    "num_users": 7,
    "train": {"epochs": 3, "final_loss": None, "examples_per_second": 9.5},
    "slices": {
        "activity=low": {"metrics": {"ndcg@10": 0.35}, "lists": 3},
        "activity=high": {"metrics": {"ndcg@10": 0.45, "mrr": None}},
    },
}
METRICS = {
    "hit_rate@10": 0.7,
    "ndcg@10": 0.4,
    "popularity hit_rate@10": 0.5,
    "popularity ndcg@10": 0.2,
    "blessed model ndcg@10": 0.3,
    "blessed": 0.0,
    "num_users": 7.0,
    "epochs": 3.0,
    "examples_per_second": 9.5,
}
SLICES = {"ndcg@10 of activity=low": 0.35, "ndcg@10 of activity=high": 0.45}


def _task(folder, *keys):
    outputs = {
        key: {"artifacts": [{"name": key, "uri": str(folder / key)}]} for key in keys
    }
    return {
        "inputs": {},
        "outputs": {"artifacts": outputs, "outputFile": str(folder / "out.json")},
    }


@pytest.fixture
def task(tmp_path):
    """Report's task, with what TFX's executor leaves."""
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "summary.json").write_text(json.dumps(SUMMARY))
    (tmp_path / "report" / "index.html").write_text("<p>page</p>")
    return _task(tmp_path, "report", *ui_outputs.OUTPUTS)


def test_figures_are_metadata_and_the_page_is_a_file(task, tmp_path):
    report = {"artifacts": [{"name": "1", "uri": "r", "metadata": {"a": 1}}]}
    (tmp_path / "out.json").write_text(json.dumps({"artifacts": {"report": report}}))
    taken = ui_outputs.take(task)
    assert set(task["outputs"]["artifacts"]) == {"report"}
    entrypoint.make_output_folders(task)
    ui_outputs.write(taken, task)
    written = json.loads((tmp_path / "out.json").read_text())["artifacts"]
    assert written.pop("report") == report
    assert written == {
        key: {"artifacts": [{"uri": str(tmp_path / key), "metadata": metadata}]}
        for key, metadata in (
            ("metrics", METRICS),
            ("slice_metrics", SLICES),
            ("page", {}),
        )
    }
    assert (tmp_path / "page").read_text() == "<p>page</p>"


def test_without_an_output_file_one_is_made(task, tmp_path):
    ui_outputs.write(ui_outputs.take(task), task)
    assert set(json.loads((tmp_path / "out.json").read_text())["artifacts"]) == set(
        ui_outputs.OUTPUTS
    )


def test_other_tasks_keep_outputs_of_these_names(tmp_path):
    task = _task(tmp_path, "metrics", "model")
    assert ui_outputs.take(task) == {}
    assert set(task["outputs"]["artifacts"]) == {"metrics", "model"}
    ui_outputs.write({}, task)
    assert not (tmp_path / "out.json").exists()
