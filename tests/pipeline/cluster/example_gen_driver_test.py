import json

import pytest
from tfx.types import standard_artifacts

from components.interactions_example_gen import executor
from components.interactions_example_gen.component import InteractionsExampleGen
from components.interactions_example_gen.config import (
    DriftConfig,
    ReadingConfig,
    SpansConfig,
)
from pipeline.cluster import example_gen_driver as driver
from pipeline.data.synthetic import SyntheticConfig


def _set(path, span=-1):
    values = {"data_path": path, "span": span, "data_version": "", "input_base": "old"}
    driver.set_input(values, SyntheticConfig())
    (split,) = json.loads(values["input_config"])["splits"]
    assert split["name"] == "interactions"
    return values, split["pattern"]


def test_a_query_becomes_the_folder_of_its_result(monkeypatch):
    asked = []
    monkeypatch.setattr(
        driver.bigquery,
        "export",
        lambda query, folder: asked.append(query) or folder,
    )
    node = InteractionsExampleGen(
        "gs://b/x", reading=ReadingConfig(), spans=SpansConfig(last=2)
    )
    values = {
        "data_path": "bigquery:SELECT 1 WHERE @span_begin_timestamp <= s",
        "span": 3,
        "custom_config": node.exec_properties["custom_config"],
    }
    driver.run_query(values, "gs://b/task")
    assert values["data_path"] == "gs://b/task/bigquery"
    assert values["span"] == -1
    assert asked == [f"bigquery:SELECT 1 WHERE {2 * 86_400} <= s"]
    driver.run_query(values, "gs://b/task")
    assert len(asked) == 1  # The second time it is a path.


def test_dataflow_cannot_read_what_is_only_here():
    flags = ["--project=p", "--runner=DataflowRunner"]
    with pytest.raises(ValueError, match=r"must be gs://.*; got 'ml-100k'"):
        driver.check_reachable({"data_path": "ml-100k"}, flags)
    driver.check_reachable({"data_path": "gs://b/r.csv"}, flags)
    driver.check_reachable({"data_path": "ml-100k"}, ["--runner=FnApiRunner"])


@pytest.mark.parametrize(
    ("path", "base", "pattern"),
    [
        ("gs://b/d/ratings.csv", "gs://b/d", "ratings.csv"),
        ("gs://b/d", "gs://b/d", "*"),
        ("gs://b/d/{SPAN}/ratings.csv", "gs://b/d", "{SPAN}/ratings.csv"),
        ("gs://b/d/day-{SPAN}/x/r.csv.gz", "gs://b/d", "day-{SPAN}/x/r.csv.gz"),
        ("gs://b/d/{SPAN}", "gs://b/d", "{SPAN}/*"),
        ("gs://b/r-{SPAN}.csv", "gs://b", "r-{SPAN}.csv"),
    ],
)
def test_path_becomes_base_and_pattern(path, base, pattern):
    values, found = _set(path)
    assert (values["input_base"], found) == (base, pattern)
    assert values.keys() == {"input_base", "input_config"}


def test_a_given_span_is_the_only_one():
    values, _ = _set("gs://b/{SPAN}/r.csv", span=7)
    only = json.loads(values["range_config"])["static_range"]
    assert only == {"start_span_number": 7, "end_span_number": 7}


def test_span_without_a_mark():
    with pytest.raises(ValueError, match=r"`span` is 7.*got 'gs://b/r.csv'"):
        _set("gs://b/r.csv", span=7)


def test_a_local_path_must_exist(tmp_path):
    with pytest.raises(ValueError, match="existing file or folder"):
        _set(str(tmp_path / "none.csv"))


@pytest.mark.parametrize(
    ("last", "span", "found"),
    [
        (1, -1, ["2/r.csv"]),
        (1, 1, ["1/r.csv"]),
        ("all", -1, ["1/r.csv", "2/r.csv"]),
        ("all", 1, ["1/r.csv"]),
    ],
)
def test_driver_finds_the_files(tmp_path, last, span, found):
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "r.csv").write_text(f"user,item\n{number},i\n")
    written, artifact = _drive(tmp_path, span, spans=SpansConfig(last=last))
    pattern = json.loads(written["input_config"])["splits"][0]["pattern"]
    assert pattern.split("\n") == found
    assert f"total_bytes:{14 * len(found)}" in str(artifact["metadata"])
    assert written["span"] == int(found[-1][0])
    window = executor.unpack_extra(written["custom_config"])["window"]
    assert window["read"] == len(found)


def test_the_newest_day_is_compared_with_those_before_it(tmp_path):
    for number in ("1", "2"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "r.csv").write_text(f"user,item\n{number},i\n")
    written, _ = _drive(tmp_path, -1, drift=DriftConfig(new_users=0.5))
    examples = standard_artifacts.Examples()
    with pytest.raises(ValueError, match=r"(?s)Span 2 .*new_users: 1 .*at most 0.5"):
        executor.note_spans(examples, written)
    written, _ = _drive(tmp_path, -1, drift=DriftConfig(new_users=1))
    executor.note_spans(examples, written)
    noted = json.loads(examples.get_string_custom_property("drift"))
    assert noted["figures"]["new_users"] == 1


def _drive(tmp_path, span, **settings):
    """Runs the driver as on a cluster; returns the parameters and the artifact."""
    path = f"{tmp_path}/{{SPAN}}/r.csv"
    node = InteractionsExampleGen(path, reading=ReadingConfig(), **settings)
    values, _ = _set(path, span)
    out = tmp_path / "out" / "output.json"
    values |= {"output_config": "{}", "output_data_format": 6}
    values["custom_config"] = node.exec_properties["custom_config"]
    schema = "title: tfx.Examples\ntype: object\n"
    artifact = {"uri": str(tmp_path), "type": {"instanceSchema": schema}}
    task = {
        "inputs": {"parameterValues": values},
        "outputs": {
            "artifacts": {"examples": {"artifacts": [artifact]}},
            "outputFile": str(out),
        },
    }
    names = {name: {"parameterType": "STRING"} for name in values}
    names["output_data_format"] = {"parameterType": "NUMBER_INTEGER"}
    driver.run(task, {"parameters": names})
    return values | json.loads(out.read_text())["parameterValues"], artifact
