"""On clusters the model to beat is known by name, from BlessedRanks to the blessing."""

import json

from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils

from components.explaining_evaluator import executor
from ncf_model import features
from pipeline.cluster import artifact_names, executor_output

NAME = "projects/1/locations/us-central1/metadataStores/default/artifacts/7"


def _artifact(**metadata):
    return {
        "artifacts": {"a": {"artifacts": [{"uri": "s3://b/a", "metadata": metadata}]}}
    }


def test_numbers_are_those_of_tfx():
    known = {}
    number = kubeflow_v2_entrypoint_utils._get_hashed_id(NAME, known)
    assert known == {artifact_names.number(NAME): NAME}
    task = {"inputs": {"artifacts": {"model": {"artifacts": [{"name": NAME}]}}}}
    assert artifact_names.names(task) == {number: NAME}
    assert artifact_names.names({"inputs": {}}) == {}


def test_properties_are_those_of_the_components():
    assert artifact_names.NOTES == features.RIVALS
    assert artifact_names.RENAMED == {executor.BASELINE_NAME: executor.BASELINE_ID}


def test_what_blessed_ranks_notes_has_the_models_name_and_uri(tmp_path, monkeypatch):
    monkeypatch.setenv("NCF_OBJECT_STORE_ROOT", "/pod")
    noted = {"id": artifact_names.number(NAME), "uri": "/pod/s3/b/m", "level": 0.5}
    file = tmp_path / "output.json"
    file.write_text(json.dumps(_artifact(latest_blessed=json.dumps(noted))))
    executor_output.publish(str(file), {artifact_names.number(NAME): NAME})
    (artifact,) = json.loads(file.read_text())["artifacts"]["a"]["artifacts"]
    assert json.loads(artifact["metadata"]["latest_blessed"]) == {
        "id": NAME,
        "uri": "s3://b/m",
        "level": 0.5,
    }


def test_the_blessing_has_it_under_tfxs_own_word(tmp_path):
    output = _artifact(
        baseline_model_name=NAME,
        latest_blessed=json.dumps({"id": NAME, "uri": "s3://"}),
    )
    artifact_names.restore(output, {})
    metadata = output["artifacts"]["a"]["artifacts"][0]["metadata"]
    assert metadata["baseline_model_id"] == NAME
    assert "baseline_model_name" not in metadata
    assert json.loads(metadata["latest_blessed"])["id"] == NAME
