"""TFX's and Google's real clients against a server that keeps endpoints and models."""

import pytest
from google.cloud import aiplatform
from google.cloud.aiplatform import gapic
from google.protobuf import symbol_database
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.vertex_pusher import deployment, executor, registry
from ncf_model.serving.version_record import VersionRecord
from pipeline.cluster import google_cloud
from pipeline.vertex import config

IMAGE = "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest"


# The results of operations, and the messages in them. Over REST protobuf 3.20 makes new
# classes for messages that it meets first inside an operation.
MESSAGES = (
    gapic.DeployedModel,
    gapic.DeployModelResponse,
    gapic.Endpoint,
    gapic.UndeployModelResponse,
    gapic.UploadModelResponse,
)


@pytest.fixture
def vertex(google):
    for message in MESSAGES:
        symbol_database.Default().RegisterMessage(message.pb(message()).__class__)
    aiplatform.init(
        project="ncf-project",
        location="us-central1",
        credentials=google_cloud.find_credentials(),
        api_endpoint=google.url,
        api_transport="rest",
    )
    return google.endpoints


def _deploy(version, **settings):
    return deployment.deploy(
        f"gs://bucket/serving/{version}",
        version=str(version),
        project="ncf-project",
        region="us-central1",
        settings=config.PusherConfig(platform="vertex", image=IMAGE, **settings),
    )


def _endpoint(vertex):
    (endpoint,) = vertex.endpoints.values()
    names = [
        vertex.models[m["model"]]["displayName"] for m in endpoint["deployedModels"]
    ]
    return names, endpoint["trafficSplit"]


def test_first_model_makes_the_endpoint_and_answers_all(vertex):
    model = _deploy(7, traffic=10, machine_type="n1-standard-4", max_replicas=3)
    (endpoint,) = vertex.endpoints.values()
    assert endpoint["displayName"] == "ncf"
    assert endpoint["labels"]["source"] == "ncf"
    assert vertex.models[model]["artifactUri"] == "gs://bucket/serving/7"
    assert vertex.models[model]["containerSpec"]["imageUri"] == IMAGE
    (request,) = vertex.deployments
    resources = request["deployedModel"]["dedicatedResources"]
    assert resources["machineSpec"] == {"machineType": "n1-standard-4"}
    assert (resources["minReplicaCount"], resources["maxReplicaCount"]) == (1, 3)
    assert _endpoint(vertex) == (["ncf-7"], {"1": 100})


def test_canary_takes_its_share_and_the_last_canary_goes(vertex):
    _deploy(1)
    _deploy(2, traffic=10)
    assert _endpoint(vertex) == (["ncf-1", "ncf-2"], {"1": 90, "2": 10})
    _deploy(3, traffic=20)
    assert _endpoint(vertex) == (["ncf-1", "ncf-3"], {"1": 80, "3": 20})


def test_a_full_replacement_keeps_one_to_go_back_to(vertex):
    for version in (1, 2, 3):
        _deploy(version)
    names, split = _endpoint(vertex)
    assert names == ["ncf-2", "ncf-3"]
    assert {model: share for model, share in split.items() if share} == {"3": 100}


def test_a_registered_model_has_versions_lineage_and_no_endpoint(vertex):
    record = VersionRecord(
        pipeline="ncf",
        run="Run.7",
        model_uri="gs://bucket/runs/model",
        blessing={"blessed": 1, "lift": 0.25},
    )
    names = [
        registry.register(
            f"gs://bucket/serving/{version}",
            version=str(version),
            record=record,
            project="ncf-project",
            region="us-central1",
            settings=config.PusherConfig(platform="registry", image=IMAGE),
        )
        for version in (7, 9)
    ]
    model = names[0].split("@")[0]
    assert names == [f"{model}@1", f"{model}@2"]
    first, second = vertex.models.values()
    assert (first["displayName"], first["artifactUri"]) == (
        "ncf",
        "gs://bucket/serving/7",
    )
    # The newest is the default one, by which others refer to the model.
    assert second["versionAliases"] == ["v9", "default"]
    assert second["labels"] == {
        "source": "ncf",
        "serving_version": "9",
        "pipeline": "ncf",
        "run": "run-7",
    }
    assert second["versionDescription"] == (
        "pipeline: ncf; run: Run.7; model_uri: gs://bucket/runs/model; lift: 0.25"
    )
    assert vertex.endpoints == {}


@pytest.mark.parametrize("platform", ["vertex", "registry"])
@pytest.mark.parametrize("blessed", [True, False])
def test_only_what_was_pushed_is_deployed(tmp_path, monkeypatch, blessed, platform):
    model, blessing = standard_artifacts.Model(), standard_artifacts.ModelBlessing()
    pushed = standard_artifacts.PushedModel()
    model.uri, pushed.uri = str(tmp_path / "model"), str(tmp_path / "pushed")
    (tmp_path / "model" / "Format-Serving").mkdir(parents=True)
    graph = tmp_path / "model" / "Format-Serving" / "saved_model.pb"
    graph.write_bytes(b"\x08\x01")
    blessing.uri = str(tmp_path / "blessing")
    (tmp_path / "blessing").mkdir()
    (tmp_path / "blessing" / ("BLESSED" if blessed else "NOT_BLESSED")).touch()
    blessing.set_int_custom_property("blessed", int(blessed))
    blessing.set_string_custom_property("current_model", model.uri)
    deployed = []
    module, function = {
        "vertex": (deployment, "deploy"),
        "registry": (registry, "register"),
    }[platform]
    monkeypatch.setattr(
        module, function, lambda uri, **options: deployed.append(uri) or "m"
    )
    settings = config.PusherConfig(platform=platform, image=IMAGE)
    custom = {
        "project": "p",
        "region": "us-central1",
        "pusher": settings.model_dump(mode="json"),
    }
    folder = tmp_path / "serving"
    destination = {"filesystem": {"base_directory": str(folder)}}
    for _ in range(2):  # The second run finds the model deployed, or taken back.
        executor.Executor().Do(
            {"model": [model], "model_blessing": [blessing]},
            {"pushed_model": [pushed]},
            {
                "push_destination": json_utils.dumps(destination),
                "custom_config": json_utils.dumps({executor.CONFIG_KEY: custom}),
            },
        )
    if blessed:
        assert deployed == [str(next(folder.glob("[0-9]*")))]
        assert pushed.get_string_custom_property("vertex_model") == "m"
    else:
        assert deployed == []
        assert not folder.exists()
