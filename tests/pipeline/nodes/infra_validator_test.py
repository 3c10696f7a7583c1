"""InfraValidator: wired where it is asked for, refused where it could not run."""

import types

import docker
import pytest

from pipeline import config as config_module
from pipeline import pipeline as definition
from pipeline.nodes import infra_validator
from pipeline.vertex import compile as vertex
from pipeline.vertex.config import VertexConfig


def _config(platform):
    return config_module.load(overrides=[f"push.infra_validator.platform={platform}"])


@pytest.mark.parametrize("platform", [None, "docker", "kubernetes"])
def test_stands_before_pusher_where_it_is_asked_for(tmp_path, platform):
    places = definition.Locations(
        interactions=str(tmp_path / "a.csv"),
        pipeline_root=str(tmp_path),
        serving=str(tmp_path / "serving"),
    )
    config = _config(platform) if platform else config_module.load()
    made = definition.create_pipeline(config, places, dataset="a")
    nodes = {node.id: node for node in made.components}
    assert ("InfraValidator" in nodes) == (platform is not None)
    # Pusher's key in the cache does not depend on it.
    pusher = nodes["Pusher"]
    assert "infra_validator" not in pusher.exec_properties["custom_config"]
    if platform:
        validator = nodes["InfraValidator"]
        assert validator in pusher.upstream_nodes
        assert nodes["ExportCheck"] in validator.upstream_nodes
        assert "infra_blessing" in pusher.inputs
        serving = validator.exec_properties["serving_spec"]
        assert '"2.19.1"' in serving
        assert {"docker": "local_docker", "kubernetes": "kubernetes"}[
            platform
        ] in serving


def test_no_docker_is_told_before_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = r"`push\.infra_validator` needs Docker, and none answers: .*ExportCheck"
    with pytest.raises(ValueError, match=said):
        infra_validator.require_here(_config("docker"))
    infra_validator.require_here(config_module.load())


def test_docker_that_answers_is_enough(monkeypatch):
    asked = []
    client = types.SimpleNamespace(ping=lambda: asked.append("ping"))
    monkeypatch.setattr(docker, "from_env", lambda timeout: client)
    infra_validator.require_here(_config("docker"))
    assert asked == ["ping"]


def test_what_a_place_does_not_have_is_refused():
    with pytest.raises(ValueError, match=r"this machine .* must be 'docker'; got 'kub"):
        infra_validator.require_here(_config("kubernetes"))
    with pytest.raises(ValueError, match=r"Vertex AI .* must not be set"):
        vertex.compile_pipeline(
            _config("kubernetes"),
            VertexConfig(image="an/image:1", serving="gs://b/serving"),
            root="gs://b/root",
        )
