"""InfraValidator: wired where it is asked for, refused where it could not run."""

import types

import docker
import pytest

from pipeline import config as config_module
from pipeline import pipeline as definition
from pipeline.kfp import compile as kfp
from pipeline.kfp.config import KfpConfig
from pipeline.nodes import infra_validator
from pipeline.vertex import compile as vertex
from pipeline.vertex.config import VertexConfig

ASKED = config_module.load(overrides=["push.infra_validator.tag=2.18.0"])
NOT_ASKED = config_module.load()


@pytest.mark.parametrize(("config", "asked"), [(NOT_ASKED, False), (ASKED, True)])
def test_stands_before_pusher_where_it_is_asked_for(tmp_path, config, asked):
    places = definition.Locations(
        interactions=str(tmp_path / "a.csv"),
        pipeline_root=str(tmp_path),
        serving=str(tmp_path / "serving"),
    )
    made = definition.create_pipeline(config, places, dataset="a")
    nodes = {node.id: node for node in made.components}
    assert ("InfraValidator" in nodes) == asked
    # Pusher's cache key does not depend on InfraValidator.
    pusher = nodes["Pusher"]
    assert "infra_validator" not in pusher.exec_properties["custom_config"]
    if asked:
        validator = nodes["InfraValidator"]
        assert validator in pusher.upstream_nodes
        assert nodes["ExportCheck"] in validator.upstream_nodes
        assert "infra_blessing" in pusher.inputs
        serving = validator.exec_properties["serving_spec"]
        assert '"2.18.0"' in serving
        assert "local_docker" in serving


def test_no_docker_is_told_before_a_run(tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    said = r"`push\.infra_validator` needs Docker, and none answers: .*ExportCheck"
    with pytest.raises(ValueError, match=said):
        infra_validator.require_docker(ASKED)
    infra_validator.require_docker(NOT_ASKED)


def test_docker_that_answers_is_enough(monkeypatch):
    asked = []
    client = types.SimpleNamespace(ping=lambda: asked.append("ping"))
    monkeypatch.setattr(docker, "from_env", lambda timeout: client)
    infra_validator.require_docker(ASKED)
    assert asked == ["ping"]


def test_clusters_refuse_it():
    with pytest.raises(ValueError, match="no InfraValidator for Kubeflow Pipelines"):
        kfp.compile_pipeline(ASKED, KfpConfig(image="an/image:1", serving="gs://b/s"))
    with pytest.raises(ValueError, match="no InfraValidator for Vertex AI"):
        vertex.compile_pipeline(
            ASKED,
            VertexConfig(image="an/image:1", serving="gs://b/s"),
            root="gs://bucket/r",
        )
