"""A pushed model is registered once, in a registry that checks each field."""

import pytest
from tfx.dsl.components.base import base_executor
from tfx.types import standard_artifacts
from tfx.utils import json_utils

from components.kubeflow_pusher import executor, registry
from components.kubeflow_pusher.config import RegistryConfig
from components.pusher import driver
from components.pusher import executor as folder_executor
from ncf_model.serving import versions
from ncf_model.serving.version_record import VersionRecord
from tests.components.kubeflow_pusher import registry_server

RECORD = VersionRecord(
    run="run-1",
    pipeline="ncf",
    model_uri="gs://b/Trainer/1",
    blessing={"blessed": 1, "hit_rate@10": 0.75, "ndcg@10": 0.5},
)
URI = "gs://b/serving/7"


@pytest.fixture(name="server")
def _server():
    server = registry_server.Server()
    yield server
    server.shutdown()
    server.server_close()


def _register(server, version="7", record=RECORD, token_file=None):
    client = registry.Client(server.url + "/", token_file)
    return registry.register(client, URI, name="ncf", version=version, record=record)


def test_a_version_has_figures_lineage_and_where_it_lies(server):
    address = _register(server)
    ((model, named),) = server.of("registered_model").items()
    ((version, entered),) = server.of("model_version").items()
    ((_, artifact),) = server.of("model_artifact").items()
    assert address == f"{server.url}{registry_server.PREFIX}/model_versions/{version}"
    assert named["name"] == "ncf"
    assert (entered["name"], entered["registeredModelId"]) == ("7", model)
    said = {
        name: next(v for field, v in value.items() if field != "metadataType")
        for name, value in entered["customProperties"].items()
    }
    assert said == {
        "run": "run-1",
        "pipeline": "ncf",
        "model_uri": "gs://b/Trainer/1",
        "hit_rate@10": 0.75,
        "ndcg@10": 0.5,
    }
    assert (artifact["uri"], artifact["modelFormatName"]) == (URI, "tensorflow")
    assert artifact["modelSourceId"] == "run-1"


def test_versions_are_of_one_model_and_each_is_entered_once(server):
    first = _register(server)
    assert _register(server) == first
    assert _register(server, version="8", record=VersionRecord()) != first
    assert len(server.of("registered_model")) == 1
    assert [v["name"] for v in server.of("model_version").values()] == ["7", "8"]
    assert len(server.of("model_artifact")) == 2


def test_what_was_entered_by_half_is_completed(server):
    server.failing = "model_artifact"
    with pytest.raises(RuntimeError, match=r"answered 503 .*not now.*is pushed"):
        _register(server)
    _register(server)
    assert len(server.of("model_version")) == len(server.of("model_artifact")) == 1


def test_a_token_is_read_anew_for_each_request(server, tmp_path):
    file = tmp_path / "token"
    file.write_text("old\n")
    server.token = "new"
    with pytest.raises(RuntimeError, match=r"answered 401 .*who are you"):
        _register(server, token_file=str(file))
    file.write_text("new\n")
    _register(server, token_file=str(file))
    assert len(server.of("model_version")) == 1


@pytest.mark.parametrize("url", ["registry:8080", "http://r/api/model_registry", ""])
def test_an_address_that_is_none(url):
    with pytest.raises(ValueError, match="url"):
        RegistryConfig(url=url)


def _do(serving, model, server, tmp_path, monkeypatch):
    """Runs the executor with a stand-in for the push into a folder."""
    pushed = standard_artifacts.PushedModel()
    pushed.uri = str(tmp_path / "pushed")

    def push(self, input_dict, output_dict, exec_properties):
        version, _ = versions.push(serving, model, record=RECORD)
        artifact = output_dict["pushed_model"][0]
        self._MarkPushed(artifact, version.path, str(version.number))

    monkeypatch.setattr(folder_executor.Executor, "Do", push)
    monkeypatch.setattr(driver, "serving_folder", lambda properties: serving)
    settings = {executor.CONFIG_KEY: {"url": server.url, "name": "ncf"}}
    executor.Executor(base_executor.BaseExecutor.Context(tmp_dir="", unique_id="")).Do(
        {}, {"pushed_model": [pushed]}, {"custom_config": json_utils.dumps(settings)}
    )
    return pushed.get_string_custom_property("registered_model")


def test_the_same_version_again_asks_nobody(server, tmp_path, monkeypatch):
    model = tmp_path / "model"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"\x08\x01")
    for name in ("variables.index", "variables.data-00000-of-00001"):
        (model / "variables" / name).write_text("")
    serving = str(tmp_path / "serving")
    given = (serving, str(model), server, tmp_path, monkeypatch)
    first = _do(*given)
    asked = len(server.requests)
    assert asked
    assert _do(*given) == first
    assert len(server.requests) == asked
    assert versions.newest(serving).record.registered_model == first


def test_a_registry_that_is_down_says_what_to_do():
    client = registry.Client("http://127.0.0.1:9")
    with pytest.raises(RuntimeError, match=r"did not answer.*The model is pushed"):
        registry.register(client, URI, name="ncf", version="7", record=RECORD)


def test_a_token_that_cannot_be_one_is_not_shown(server, tmp_path):
    file = tmp_path / "token"
    file.write_text("s3cret\nmore")
    with pytest.raises(RuntimeError, match="token of one line") as refused:
        _register(server, token_file=str(file))
    assert "s3cret" not in str(refused.value)
