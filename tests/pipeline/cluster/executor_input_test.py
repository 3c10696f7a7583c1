"""What is repaired in the input that Kubeflow hands to a task, defect by defect."""

import json

import pytest

from pipeline.cluster import (
    entrypoint,
    executor_input,
    executor_output,
    local_copies,
    parameters,
)

MODEL = {"instanceSchema": "title: tfx.Model\ntype: object\n"}


def _task(inputs=None, outputs=None, values=None):
    def lists(artifacts):
        return {name: {"artifacts": [a]} for name, a in (artifacts or {}).items()}

    return {
        "inputs": {"artifacts": lists(inputs), "parameterValues": values or {}},
        "outputs": {"artifacts": lists(outputs), "outputFile": "/tmp/out.json"},
    }


def _artifact(task, name, side="inputs"):
    return task[side]["artifacts"][name]["artifacts"][0]


def test_a_types_come_from_the_declaration():
    kept = {"schemaTitle": "tfx.Schema"}
    task = _task({"model": {"type": {"instanceSchema": ""}}, "schema": {"type": kept}})
    declared = {"artifacts": {"model": {"artifactType": MODEL}, "schema": {}}}
    executor_input.restore_types(task, declared)
    assert _artifact(task, "model")["type"] == MODEL
    assert _artifact(task, "schema")["type"] == kept


def test_own_types_are_named_by_their_class():
    schema = {"instanceSchema": "title: ncf.RunReport\ntype: object\n"}
    task = _task(outputs={"report": {"type": schema}, "model": {"type": MODEL}})
    executor_input.name_classes(task)
    assert _artifact(task, "report", "outputs")["type"] == {
        "schemaTitle": "components.report.spec.RunReport"
    }
    assert _artifact(task, "model", "outputs")["type"] == MODEL


def test_own_types_can_be_imported_and_have_that_name():
    from tfx.utils import import_utils

    for name, path in executor_input.CLASSES.items():
        assert name == import_utils.import_class_by_path(path).TYPE_NAME


@pytest.mark.parametrize("scheme", ["gs", "s3", "minio"])
def test_d_local_copies_there_and_back(scheme, monkeypatch):
    monkeypatch.delenv("NCF_OBJECT_STORE_ROOT", raising=False)
    folder = {"gs": "/gcs", "s3": "/s3", "minio": "/minio"}[scheme]
    uri = f"{scheme}://bucket/run/model"
    task = _task({"a": {"uri": uri}}, {"b": {"uri": uri}, "c": {"uri": "/mnt/x"}})
    executor_input.localise(task)
    assert _artifact(task, "a")["uri"] == f"{folder}/bucket/run/model"
    assert _artifact(task, "b", "outputs")["uri"] == f"{folder}/bucket/run/model"
    assert _artifact(task, "c", "outputs")["uri"] == "/mnt/x"
    task["outputs"]["outputFile"] = f"{uri}/output.json"
    executor_input.localise(task)
    assert task["outputs"]["outputFile"] == f"{folder}/bucket/run/model/output.json"
    back = local_copies.to_remote({"x": [f"{folder}/bucket/run/model", 1, "/mnt/x"]})
    assert back == {"x": [uri, 1, "/mnt/x"]}


def test_i_launchers_own_output_is_removed():
    task = _task(outputs={"executor-logs": {}, "model": {}})
    executor_input.drop_launcher_outputs(task)
    assert list(task["outputs"]["artifacts"]) == ["model"]


def test_l_an_empty_baseline_is_none(tmp_path):
    empty, full = tmp_path / "empty", tmp_path / "full"
    (empty / "deep").mkdir(parents=True)
    (full / "deep").mkdir(parents=True)
    (full / "deep" / "saved_model.pb").touch()
    for folder, kept in ((empty, False), (tmp_path / "absent", False), (full, True)):
        task = _task({"baseline_model": {"uri": str(folder)}, "model": {"uri": "/no"}})
        executor_input.drop_empty_baseline(task)
        assert ("baseline_model" in task["inputs"]["artifacts"]) is kept
        assert "model" in task["inputs"]["artifacts"]


def test_m_metadata_as_it_was():
    wrapped = {
        "names": {"list": [1, 2]},
        "counts": {"struct": {"list": 3}},
        "own": {"a": 1, "list": 2},
        "n": 5,
        "display_name": "x",
        "store_session_info": "{}",
    }
    task = _task({"examples": {"metadata": wrapped}})
    executor_input.restore_metadata(task)
    assert _artifact(task, "examples")["metadata"] == {
        "names": [1, 2],
        "counts": {"list": 3},
        "own": {"a": 1, "list": 2},
        "n": 5,
    }


def test_m_no_null_and_no_local_path_goes_back(tmp_path, monkeypatch):
    monkeypatch.setenv("NCF_OBJECT_STORE_ROOT", "/pod")
    file = tmp_path / "out.json"
    metadata = {"n": 1.0, "none": None, "current_model": "/pod/s3/b/model"}
    artifact = {"uri": "/pod/gcs/b/x", "metadata": metadata}
    file.write_text(json.dumps({"artifacts": {"x": {"artifacts": [artifact]}}}))
    executor_output.publish(str(file))
    assert json.loads(file.read_text())["artifacts"]["x"]["artifacts"] == [
        {"uri": "gs://b/x", "metadata": {"n": 1.0, "current_model": "s3://b/model"}}
    ]
    executor_output.publish(str(tmp_path / "none.json"))


@pytest.mark.parametrize(("epochs", "other"), [(3.0, 2.5), ("3", "2.5"), (3, 2.5)])
def test_parameters_reach_their_places(epochs, other):
    # `tfx run create` sends each parameter as text, JSON each number as 3.0.
    values = {
        "custom_config": json.dumps({"train": {"epochs": 20, "seed": 1}}),
        "epochs": epochs,
        "schema_file": "package://pipeline/schema/schema.pbtxt",
        "other": other,
    }
    declared = {
        "parameters": {
            "epochs": {"parameterType": "NUMBER_INTEGER"},
            "other": {"parameterType": "NUMBER_DOUBLE"},
        }
    }
    task = _task(values=values)
    entrypoint.adapt(task, declared, {"epochs": ["custom_config", "train", "epochs"]})
    result = task["inputs"]["parameterValues"]
    # Compared as text: 3.0 would equal 3, but is no valid number of epochs.
    assert result.pop("custom_config") == '{"train": {"epochs": 3, "seed": 1}}'
    assert result.pop("schema_file").endswith("/pipeline/schema/schema.pbtxt")
    assert result == {"other": 2.5}


@pytest.mark.parametrize(
    ("kind", "value", "says"),
    [
        ("NUMBER_INTEGER", 3.5, "a whole number; got 3.5"),
        ("NUMBER_INTEGER", "three", "a whole number; got 'three'"),
        ("NUMBER_DOUBLE", "", "a number; got ''"),
    ],
)
def test_a_parameter_that_is_no_such_number(kind, value, says):
    task = _task(values={"epochs": value})
    declared = {"parameters": {"epochs": {"parameterType": kind}}}
    with pytest.raises(ValueError, match=f"'epochs' must be {says}"):
        executor_input.restore_numbers(task, declared)


def test_uris_are_kept_where_no_launcher_copies():
    task = _task({"model": {"uri": "gs://b/model"}}, {"x": {"uri": "gs://b/x"}})
    task["outputs"]["outputFile"] = "gs://b/out.json"
    declared = {"artifacts": {"model": {"artifactType": MODEL}}}
    entrypoint.adapt(task, declared, {}, keep_uris=True)
    assert _artifact(task, "model")["uri"] == "gs://b/model"
    assert _artifact(task, "x", "outputs")["uri"] == "gs://b/x"
    assert task["outputs"]["outputFile"] == "gs://b/out.json"


def test_a_parameter_that_is_the_property_stays():
    task = _task(values={"epochs": 3})
    entrypoint.adapt(task, {"parameters": {}}, {"epochs": ["epochs"]})
    assert task["inputs"]["parameterValues"] == {"epochs": 3}


@pytest.mark.parametrize(
    "path", [("train", "epoch"), ("metrics", 5, "x"), ("train", "epochs", "x")]
)
def test_a_place_that_is_not_there(path):
    properties = {"p": json.dumps({"train": {"epochs": 1}, "metrics": [1]})}
    with pytest.raises(ValueError, match=r"'epochs' has no place .* do not fit"):
        parameters.put(properties, {"epochs": 3}, {"epochs": ("p", *path)})


def test_a_packaged_file_that_is_not_there():
    task = _task(values={"f": "package://pipeline/none.txt"})
    with pytest.raises(ValueError, match="names no file of the installed package"):
        entrypoint.adapt(task, {"parameters": {}}, {})
